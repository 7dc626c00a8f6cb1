//! A command that outlives any session, and the private folder with its copies of the AWS files.
//!
//! The folder itself is locked for as long as the command, or anything that it started, lives: the
//! command inherits the open folder, and a kernel lock ends with the last process that has it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::context::{Env, Paths};
use crate::environment::EnvDiff;
use crate::files::{self, FileError, read_own};
use crate::vault::{SealError, Vault};

/// The largest record that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A run's folder, held.
pub struct Run {
    dir: PathBuf,
    held: File,
}

/// What a program in the command needs to stand where awsrole stood: the file beside the copies.
#[derive(Serialize, Deserialize)]
pub struct Outside {
    /// The directory whose role it is.
    pub dir: PathBuf,
    /// The `[role.NAME]`.
    pub role: Option<String>,
    /// The variables that the command finds changed, as they were.
    before: BTreeMap<String, Option<Zeroizing<String>>>,
}

impl Run {
    /// Makes a folder that only its owner may enter, and removes those of commands that are gone.
    pub fn open(paths: &Paths) -> Result<Self, FileError> {
        let runs = folder(paths);
        files::private_dir(&runs)?;
        let failed = |e| FileError::new("making a folder in", &runs, e);
        // Whoever tidies up must not meet a folder before it is held.
        let parent = File::open(&runs).map_err(failed)?;
        parent.lock().map_err(failed)?;
        for entry in fs::read_dir(&runs).into_iter().flatten().flatten() {
            remove_if_gone(&entry.path());
        }
        let private = fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix("run-").permissions(private).tempdir_in(&runs).map_err(failed)?;
        let held = File::open(dir.path()).map_err(failed)?;
        held.lock().map_err(failed)?;
        Ok(Self { dir: dir.keep(), held })
    }

    /// The folder's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.dir.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Writes the record of what is outside, sealed as cached sessions are: no program but awsrole reads it.
    pub fn write_outside(&self, outside: &Outside, vault: &Vault) -> Result<(), SealError> {
        let sealed = vault.seal(&sealed_name(self.name()), outside.to_text().as_bytes())?;
        Ok(files::write_private(&self.dir.join(OUTSIDE), &sealed.content)?)
    }

    /// Writes one of its files.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, FileError> {
        let path = self.dir.join(name);
        files::write_private(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Leaves the open folder to the command that this process becomes.
    pub fn hand_over(&self) -> io::Result<()> {
        Ok(rustix::io::fcntl_setfd(&self.held, rustix::io::FdFlags::empty())?)
    }

    /// Removes the folder.
    pub fn remove(self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Outside {
    /// What is outside of a command with these variables.
    #[must_use]
    pub fn of(dir: &Path, role: Option<&str>, diff: &EnvDiff, outer: &Env) -> Self {
        let names = diff.set.iter().map(|(name, _)| *name).chain(diff.hide.iter().copied());
        let before = |name: &str| outer.text(name).map(|text| Zeroizing::new(text.to_owned()));
        let before = names.map(|name| (name.to_owned(), before(name))).collect();
        Self { dir: dir.to_owned(), role: role.map(str::to_owned), before }
    }

    /// What the command must not find, secrets included.
    fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads a run's record; `None` if the run is over, or `logout --all` has thrown its key away.
    #[must_use]
    pub fn read(paths: &Paths, vault: &Vault, run: &str) -> Option<Self> {
        let path = folder(paths).join(only_a_name(run)?).join(OUTSIDE);
        let text = vault.open(&sealed_name(run), Zeroizing::new(read_own(&path, MAX_BYTES).ok()?))?;
        serde_json::from_slice(&text).ok()
    }

    /// The environment without what the command finds changed.
    #[must_use]
    pub fn over(&self, env: &Env) -> Env {
        let mut outer = env.clone();
        for (name, before) in &self.before {
            match before {
                Some(text) => outer.0.insert(name.into(), text.as_str().into()),
                None => outer.0.remove(std::ffi::OsStr::new(name)),
            };
        }
        outer
    }
}

/// The record's name in a run's folder.
const OUTSIDE: &str = "outside";

/// The name to which a run's record is bound.
fn sealed_name(run: &str) -> String {
    format!("runs/{run}/{OUTSIDE}")
}

/// Waits until nobody holds a run's folder any more, and removes it.
pub fn remove_when_gone(paths: &Paths, run: &str) {
    let Some(name) = only_a_name(run) else { return };
    let dir = folder(paths).join(name);
    if File::open(&dir).is_ok_and(|held| held.lock().is_ok()) {
        let _ = fs::remove_dir_all(&dir);
    }
}

fn remove_if_gone(dir: &Path) {
    if File::open(dir).is_ok_and(|held| held.try_lock().is_ok()) {
        let _ = fs::remove_dir_all(dir);
    }
}

fn folder(paths: &Paths) -> PathBuf {
    paths.cache.join("runs")
}

/// A name that leads nowhere else.
fn only_a_name(run: &str) -> Option<&str> {
    (run.starts_with("run-") && !run.contains('/')).then_some(run)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::profiles::tests::home;

    #[test]
    fn a_folder_is_private_and_goes_when_nobody_holds_it() {
        let (_home, context) = home("", "");
        let first = Run::open(&context.paths).unwrap();
        let file = first.write("config", "x").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&first.dir).unwrap().mode() & 0o777, 0o700);
        let second = Run::open(&context.paths).unwrap();
        assert!(file.exists(), "it is held");
        drop(first);
        Run::open(&context.paths).unwrap();
        assert!(!file.exists());
        let name = second.name().to_owned();
        drop(second);
        remove_when_gone(&context.paths, &name);
        assert!(!folder(&context.paths).join(&name).exists());
    }

    #[test]
    fn a_run_is_no_path() {
        let (home, context) = home("", "");
        let inside = home.path().join("inside");
        fs::create_dir(&inside).unwrap();
        for name in ["../../inside", "run-/../../../inside", "", "."] {
            remove_when_gone(&context.paths, name);
            assert!(Outside::read(&context.paths, &Vault::of(&context), name).is_none());
        }
        assert!(inside.exists());
    }
}
