//! What surrounds a command, as plain values.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use crate::base::cache_key_backend::CacheKeyBackend;
use crate::base::problem::Problem;

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
    /// The folder of the file that every shell looks for at its prompts. `allow`, `deny`, `refresh`, `logout` and
    /// others rename it.
    #[must_use]
    pub fn generations(&self) -> PathBuf {
        self.state.join("generations")
    }

    /// Returns those of awsrole's folders that a variable moved away from their usual place below the home directory,
    /// with the variable's name.
    fn moved(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        // On macOS no variable moves them.
        let usual = [
            ("XDG_CONFIG_HOME", &self.config, ".config"),
            ("XDG_DATA_HOME", &self.data, ".local/share"),
            ("XDG_STATE_HOME", &self.state, ".local/state"),
            ("XDG_CACHE_HOME", &self.cache, ".cache"),
        ];
        let moved = usual.into_iter().filter(|_| cfg!(not(target_os = "macos")));
        let moved = moved.filter(|(_, path, usual)| **path != self.home.join(usual).join("awsrole"));
        moved.map(|(name, path, _)| (name, path.as_path()))
    }

    /// Says which variable moved a folder of awsrole's into the folder of one of `files`, or below it. A clone would
    /// bring approvals and settings of its own, or get what awsrole stores. The usual places below the home directory
    /// are no such folders, though the home may be a project.
    #[must_use]
    pub fn inside_project(&self, files: &[PathBuf]) -> Option<Problem> {
        let (name, path, folder) = self.moved().find_map(|(name, path)| {
            let path = without_links(path);
            let mut folders = files.iter().filter_map(|file| file.parent()).map(without_links);
            folders.find(|folder| path.starts_with(folder)).map(|folder| (name, path, folder))
        })?;
        let folder = folder.display();
        Some(
            Problem::new(format!("{name} points into this project, and awsrole uses no folder of a project"))
                .because(format!("{} is in {folder}", path.display()))
                .hint(format!("unset {name}, or set it to a folder outside of {folder}")),
        )
    }

    /// A file that was last modified at the epoch: its age in seconds is the time of day, which is
    /// the only clock that fish has without starting a process.
    #[must_use]
    pub fn clock(&self) -> PathBuf {
        self.state.join("clock")
    }
}

/// A path without symbolic links, as far as it is there.
fn without_links(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match found.map(|(above, real)| (path.strip_prefix(above), real)) {
        Some((Ok(rest), real)) if rest.as_os_str().is_empty() => real,
        Some((Ok(rest), real)) => real.join(rest),
        _ => path.to_owned(),
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
    pub keys: Rc<dyn CacheKeyBackend>,
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

    /// Replaces `$NAME` and `${NAME}` by the environment's values, then a leading `~/`, as the AWS CLI does with the
    /// paths of its files (Python, `os.path.expandvars`). A variable that isn't set stays as it is written.
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

    /// Shortens a path below the home directory to `~/…`, for messages.
    #[must_use]
    pub fn shorten(&self, path: &Path) -> String {
        match path.strip_prefix(&self.paths.home) {
            Ok(rest) => format!("~/{}", rest.display()),
            Err(_) => path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::tests::home;

    /// Each answer is that of Python's `os.path.expandvars`, followed by `expanduser`.
    #[test]
    fn variables_in_paths_are_those_of_python() {
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
