//! The context in which a command runs, as plain values.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::cache_key_backend::CacheKeyBackend;
use crate::base::problem::Problem;

/// A process environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(pub Variables);

/// Variables of an environment. Copies share them until one of the copies changes, because most copies never do.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(Arc<BTreeMap<OsString, OsString>>);

impl Deref for Variables {
    type Target = BTreeMap<OsString, OsString>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Variables {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(pairs: I) -> Self {
        // `collect` would sort a copy first, which takes longer for as few pairs.
        let mut variables = BTreeMap::new();
        variables.extend(pairs);
        Self(Arc::new(variables))
    }
}

impl<const N: usize> From<[(OsString, OsString); N]> for Variables {
    fn from(pairs: [(OsString, OsString); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> IntoIterator for &'a Variables {
    type Item = (&'a OsString, &'a OsString);
    type IntoIter = std::collections::btree_map::Iter<'a, OsString, OsString>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Env {
    /// Returns the value of a variable if it is set and valid UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(OsStr::new(name))?.to_str()
    }

    /// Returns the value of a variable if it is set and not empty.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|value| !value.is_empty())
    }

    /// Returns whether the process runs in the Windows Subsystem for Linux.
    #[must_use]
    pub fn is_wsl(&self) -> bool {
        self.filled("WSL_DISTRO_NAME").is_some()
    }

    /// Returns the command that sets the clock of this system.
    #[must_use]
    pub fn clock_command(&self) -> &'static str {
        match (cfg!(target_os = "macos"), self.is_wsl()) {
            (true, _) => "sudo sntp -sS time.apple.com",
            // The clock of WSL 2 may stop while Windows sleeps. The hardware clock is right (microsoft/WSL#10006).
            (false, true) => "sudo hwclock -s",
            (false, false) => "sudo timedatectl set-ntp true",
        }
    }

    /// Returns whether a variable is set. It may be empty.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(OsStr::new(name))
    }
}

/// The directories that awsrole uses.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The directory of the user's settings, `config.toml`.
    pub config: PathBuf,
    /// Approvals of `.awsrole.toml` files.
    pub data: PathBuf,
    /// The generation, the history, and the file that fish uses as a clock.
    pub state: PathBuf,
    /// Temporary credentials.
    pub cache: PathBuf,
    /// The home directory, for `~` and for `~/.aws`.
    pub home: PathBuf,
    /// The file with the settings of an organization. No environment variable changes this path, because a user could
    /// escape the settings otherwise.
    pub organization: PathBuf,
}

impl Paths {
    /// Returns the directory of the generation file, which every shell checks at its prompts.
    ///
    /// `allow`, `deny`, `refresh`, `logout` and other commands rename the file.
    #[must_use]
    pub fn generations(&self) -> PathBuf {
        self.state.join("generations")
    }

    /// Returns the directories of awsrole that an XDG variable moved away from their default below the home directory,
    /// with the name of the variable.
    fn moved(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        // On macOS these variables have no effect.
        let usual = [
            ("XDG_CONFIG_HOME", &self.config, ".config/awsrole"),
            ("XDG_DATA_HOME", &self.data, ".local/share/awsrole"),
            ("XDG_STATE_HOME", &self.state, ".local/state/awsrole"),
            ("XDG_CACHE_HOME", &self.cache, ".cache/awsrole"),
        ];
        let moved = usual.into_iter().filter(|_| cfg!(not(target_os = "macos")));
        let moved = moved.filter(|(_, path, usual)| path.strip_prefix(&self.home) != Ok(Path::new(usual)));
        moved.map(|(name, path, _)| (name, path.as_path()))
    }

    /// Returns a problem if an XDG variable moves one of awsrole's directories into a project, that is, into the
    /// directory of one of `files` or below it.
    ///
    /// A cloned repository could otherwise bring its own approvals and settings, or receive what awsrole stores. The
    /// default directories below the home directory are always permitted, even if the home directory is a project.
    #[must_use]
    pub fn inside_project(&self, files: &[PathBuf]) -> Option<Problem> {
        let (name, path, folder) = self.moved().find_map(|(name, path)| {
            let path = without_links(path);
            let mut folders = files.iter().filter_map(|file| file.parent()).map(without_links);
            folders.find(|folder| path.starts_with(folder)).map(|folder| (name, path, folder))
        })?;
        let folder = folder.display();
        Some(
            Problem::new(format!("{name} points into this project, where awsrole stores nothing"))
                .because(format!("{} is in {folder}", path.display()))
                .hint(format!("unset {name}, or set it to a directory outside of {folder}")),
        )
    }

    /// Returns the path of a file whose modification time is the epoch.
    ///
    /// Its age in seconds is the current time. Fish has no other clock that doesn't start a process.
    #[must_use]
    pub fn clock(&self) -> PathBuf {
        self.state.join("clock")
    }
}

/// Resolves the symbolic links in the part of a path that exists.
fn without_links(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match found.map(|(above, real)| (path.strip_prefix(above), real)) {
        Some((Ok(rest), real)) if rest.as_os_str().is_empty() => real,
        Some((Ok(rest), real)) => real.join(rest),
        _ => path.to_owned(),
    }
}

/// All input of a decision except files. It is built once, in `ambient.rs` of the `awsrole-system` crate.
#[derive(Clone)]
pub struct Context {
    /// The working directory.
    pub dir: PathBuf,
    /// The environment of the process.
    pub env: Env,
    /// The time at which the command started.
    pub now: SystemTime,
    /// The directories that awsrole uses.
    pub paths: Paths,
    /// The backend of the cache encryption key.
    pub keys: Rc<dyn CacheKeyBackend>,
    /// Identifies this machine, container or pod among others with the same home directory.
    ///
    /// It is called only for sources whose credentials depend on the host.
    pub host: fn() -> String,
    /// The path of `awsrole`. AWS clients start it as a `credential_process`.
    pub program: Option<PathBuf>,
    /// The content of the organization's file after its first use. The settings and each plan need it, and none of them
    /// can forget it, but it is read once.
    pub organization: Rc<OnceCell<Result<Option<Vec<u8>>, Problem>>>,
}

impl Context {
    /// Returns a copy with another environment, such as the outer one.
    #[must_use]
    pub fn with_env(&self, env: Env) -> Self {
        Self { env, ..self.clone() }
    }

    /// Replaces a leading `~/` with the home directory, as shells do.
    #[must_use]
    pub fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~') {
            Some("") => self.paths.home.clone(),
            Some(rest) if rest.starts_with('/') => self.paths.home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(path),
        }
    }

    /// Replaces `$NAME` and `${NAME}` with values from the environment, then expands a leading `~/`.
    ///
    /// The AWS CLI expands the paths of its files in this way (Python, `os.path.expandvars`). References to unset
    /// variables are left unchanged.
    #[must_use]
    pub fn expand_variables(&self, path: &str) -> PathBuf {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (mut expanded, mut rest) = (String::with_capacity(path.len()), path);
        while let Some((before, after)) = rest.split_once('$') {
            let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (name, left) =
                braced.unwrap_or_else(|| after.split_at(after.find(|c| !word(c)).unwrap_or(after.len())));
            expanded.push_str(before);
            match self.env.text(name).filter(|_| !name.is_empty()) {
                Some(value) => expanded.push_str(value),
                None => expanded.push_str(&rest[before.len()..rest.len() - left.len()]),
            }
            rest = left;
        }
        expanded.push_str(rest);
        self.expand(&expanded)
    }

    /// Shortens the home directory to `~` and a path below it to `~/…`, for messages.
    #[must_use]
    pub fn shorten(&self, path: &Path) -> String {
        match path.strip_prefix(&self.paths.home) {
            Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
            Ok(rest) => format!("~/{}", rest.display()),
            Err(_) => path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::tests::home;

    /// The expected values are the output of Python's `os.path.expandvars`, followed by `expanduser`.
    #[cfg(target_os = "linux")]
    #[test]
    fn windows_sets_the_clock_of_its_linux() {
        let of = |distro: &str| Env([("WSL_DISTRO_NAME".into(), distro.into())].into_iter().collect()).clock_command();
        assert_eq!((of("Debian"), of("")), ("sudo hwclock -s", "sudo timedatectl set-ntp true"));
        assert_eq!(Env::default().clock_command(), of(""));
    }

    #[test]
    fn expands_variables_in_paths_as_python_does() {
        let (_home, mut context) = home("", "");
        for (name, value) in [("A", "/a"), ("B_1", "$A"), ("EMPTY", ""), ("T", "~")] {
            context.env.0.insert(name.into(), value.into());
        }
        for (path, expected) in [
            ("/x", "/x"),
            ("$A/x", "/a/x"),
            ("${A}x$A", "/ax/a"),
            ("$B_1/${B_1}", "$A/$A"),
            ("$Ax/${NO}/$", "$Ax/${NO}/$"),
            ("${A/$A", "${A//a"),
            ("$$A$EMPTY.", "$/a."),
            ("${}$-", "${}$-"),
            ("x~/~", "x~/~"),
        ] {
            assert_eq!(context.expand_variables(path), PathBuf::from(expected), "{path}");
        }
        assert_eq!(context.expand_variables("$T/x"), context.paths.home.join("x"));
    }
}
