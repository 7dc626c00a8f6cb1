//! What surrounds a command, as plain values.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use crate::vault::KeyStore;

/// A process environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(pub BTreeMap<OsString, OsString>);

impl Env {
    /// The value of a variable, if it is set and valid UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(OsStr::new(name))?.to_str()
    }

    /// The value of a variable, if it is set and not empty.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|value| !value.is_empty())
    }

    /// Whether a variable is set, perhaps to nothing.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(OsStr::new(name))
    }
}

/// Where awsrole keeps its files, and where it finds the AWS CLI's.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The user's own settings: `config.toml` lies here.
    pub config: PathBuf,
    /// Approvals of `.awsrole.toml` files.
    pub data: PathBuf,
    /// The generation, the history, and the file that serves fish as a clock.
    pub state: PathBuf,
    /// Temporary credentials.
    pub cache: PathBuf,
    /// The home directory, for `~` and for `~/.aws`.
    pub home: PathBuf,
}

impl Paths {
    /// The folder of the file that every shell looks for at its prompts. `allow`, `deny`, `refresh`, `logout` and others
    /// rename it.
    #[must_use]
    pub fn generations(&self) -> PathBuf {
        self.state.join("generations")
    }

    /// A file that was last modified at the epoch: its age in seconds is the time of day, which is
    /// the only clock that fish has without starting a process.
    #[must_use]
    pub fn clock(&self) -> PathBuf {
        self.state.join("clock")
    }
}

/// Everything that a decision may depend on beside files. Built once, in the binary's `ambient.rs`.
pub struct Context {
    /// The working directory.
    pub dir: PathBuf,
    /// The environment as the process found it.
    pub env: Env,
    /// The time at which the command started.
    pub now: SystemTime,
    /// Where things are kept.
    pub paths: Paths,
    /// What keeps the key of the cache.
    pub keys: Rc<dyn KeyStore>,
    /// Tells this machine, container or pod from others with the same home directory. Called only for sources whose
    /// answer depends on it.
    pub host: fn() -> String,
}

impl Context {
    /// Replaces a leading `~/` by the home directory, as shells do.
    #[must_use]
    pub fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~') {
            Some("") => self.paths.home.clone(),
            Some(rest) if rest.starts_with('/') => self.paths.home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(path),
        }
    }

    /// Shortens a path below the home directory to `~/…`, for messages.
    #[must_use]
    pub fn shorten(&self, path: &Path) -> String {
        match path.strip_prefix(&self.paths.home) {
            Ok(rest) => format!("~/{}", rest.display()),
            Err(_) => path.display().to_string(),
        }
    }
}
