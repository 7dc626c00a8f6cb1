//! Manages the private directory of a command that runs longer than a session (`exec --renew`). It contains copies of
//! the AWS files.
//!
//! The directory is locked while the command or any of its children runs. The command inherits the open directory, and
//! an advisory lock (flock) is released when the last process closes it. Some programs close all inherited files, so
//! the directory's name also contains the ID of the command's process.
//!
//! The watcher removes the directory when the command ends. If the watcher was killed, [`sweep`] removes it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::agent::Agent;
use crate::base::context::{Env, Paths};
use crate::base::files::{self, FileError, read_own};
use crate::session::encryption::{CacheEncryption, SealError};
use crate::shell::confirm::Confirmation;
use crate::shell::environment::EnvDiff;

/// Maximum size of a record, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Prefix of the directories' names.
const PREFIX: &str = "run-";

/// In a directory's name, the start of a process on a system without /proc.
const UNKNOWN_START_TIME: u64 = 0;

/// The locked directory of a run.
pub struct Run {
    dir: PathBuf,
    held: File,
}

/// The directory and environment in which `awsrole exec` ran. awsrole reads it when it is started inside the command.
/// It is stored next to the copies, encrypted.
#[derive(Serialize, Deserialize)]
pub struct SavedEnvironment {
    /// The directory that selects the role, and whose `[agent]` tables limit the profiles that an agent uses.
    pub dir: PathBuf,
    /// Whether the project of this directory has such tables.
    #[serde(default)]
    pub has_limits: bool,
    /// The name of the role, if the user selected one.
    pub role: Option<String>,
    /// The profile that was selected instead of a project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What the user confirmed, if the role must be confirmed ([`Confirmation::to_text`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<String>,
    /// Prior values of the variables that are changed for the command. `None` is unset.
    before: BTreeMap<String, Option<Zeroizing<String>>>,
}

impl Run {
    /// Creates a directory that only its owner can access, for the command that this process will execute. It also
    /// removes the directories of commands that have ended.
    pub fn open(paths: &Paths, process: u32) -> Result<Self, FileError> {
        let runs = folder(paths);
        files::private_dir(&runs)?;
        let failed = |e| FileError::new("create a directory in", &runs, e);
        // Prevents another process from removing the directory before it is locked.
        let parent = File::open(&runs).map_err(failed)?;
        parent.lock().map_err(failed)?;
        remove_remains(&runs);
        let private = fs::Permissions::from_mode(0o700);
        let prefix = format!("{PREFIX}{process}.{}-", start_time(process).unwrap_or(UNKNOWN_START_TIME));
        let dir = tempfile::Builder::new().prefix(&prefix).permissions(private).tempdir_in(&runs).map_err(failed)?;
        let held = File::open(dir.path()).map_err(failed)?;
        held.lock().map_err(failed)?;
        Ok(Self { dir: dir.keep(), held })
    }

    /// Returns the name of the directory.
    #[must_use]
    pub fn name(&self) -> &str {
        self.dir.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Writes the record of the outer environment, encrypted with the cache encryption key: only awsrole reads it.
    pub fn write_outside(&self, outside: &SavedEnvironment, vault: &CacheEncryption) -> Result<(), SealError> {
        let sealed = vault.seal(&sealed_name(self.name()), outside.to_text().as_bytes())?;
        Ok(files::write_private(&self.dir.join(OUTSIDE), &sealed.content)?)
    }

    /// Writes a file into the directory.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, FileError> {
        let path = self.dir.join(name);
        files::write_private(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Clears the close-on-exec flag of the open directory, so that the command that this process executes keeps the
    /// lock.
    pub fn hand_over(&self) -> io::Result<()> {
        Ok(rustix::io::fcntl_setfd(&self.held, rustix::io::FdFlags::empty())?)
    }

    /// Removes the directory.
    pub fn remove(self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl SavedEnvironment {
    /// Records the prior values of all variables that `diff` changes.
    #[must_use]
    pub fn of(dir: &Path, role: Option<&str>, profile: Option<&str>, diff: &EnvDiff, outer: &Env) -> Self {
        let names = diff.set.iter().map(|(name, _)| name.as_ref()).chain(diff.hide.iter().copied());
        let before = |name: &str| outer.text(name).map(|text| Zeroizing::new(text.to_owned()));
        let before = names.map(|name| (name.to_owned(), before(name))).collect();
        let (role, profile) = (role.map(str::to_owned), profile.map(str::to_owned));
        Self { dir: dir.to_owned(), has_limits: false, role, profile, confirmed: None, before }
    }

    /// Records whether the directory's project limits agents. If it no longer does, they get no session.
    #[must_use]
    pub fn limited(self, has_limits: bool) -> Self {
        Self { has_limits, ..self }
    }

    /// Records what the user confirmed. If the settings then lead to another role, it isn't renewed.
    #[must_use]
    pub fn confirmed(self, confirmed: Confirmation) -> Self {
        Self { confirmed: Some(confirmed.to_text()), ..self }
    }

    /// Returns the record as JSON. It contains secrets, which the command must not see.
    fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads a run's record. Returns `None` if the run is over, or if `logout --all` deleted the key.
    #[must_use]
    pub fn read(paths: &Paths, vault: &CacheEncryption, run: &str) -> Option<Self> {
        let path = folder(paths).join(only_a_name(run)?).join(OUTSIDE);
        let text = vault.open(&sealed_name(run), Zeroizing::new(read_own(&path, MAX_BYTES).ok()?))?;
        serde_json::from_slice(&text).ok()
    }

    /// Returns the outer environment: `env` with the prior values of all variables that were changed for the command.
    ///
    /// If the environment says that its agent is always limited, it stays so.
    #[must_use]
    pub fn over(&self, env: &Env) -> Env {
        let mut outer = env.clone();
        let inherited = Agent::recognize(env).filter(Agent::is_always_limited);
        for (name, before) in &self.before {
            match before {
                Some(text) => outer.0.insert(name.into(), text.as_str().into()),
                None => outer.0.remove(std::ffi::OsStr::new(name)),
            };
        }
        inherited.iter().fold(outer, |outer, agent| agent.marked(outer))
    }
}

/// File name of the record.
const OUTSIDE: &str = "outside";

/// Returns the associated data of a run's encrypted record.
fn sealed_name(run: &str) -> String {
    format!("runs/{run}/{OUTSIDE}")
}

/// Waits until no process holds the lock of a run's directory, and removes it.
pub fn remove_when_gone(paths: &Paths, run: &str) {
    let Some(name) = only_a_name(run) else { return };
    let dir = folder(paths).join(name);
    if File::open(&dir).is_ok_and(|held| held.lock().is_ok()) {
        let _ = fs::remove_dir_all(&dir);
    }
}

/// Folders of commands that have ended, which their watchers didn't remove.
#[derive(Default)]
pub struct Remains {
    /// The directories that were removed.
    pub removed: Vec<PathBuf>,
    /// Errors for the directories that could not be removed.
    pub stuck: Vec<FileError>,
}

/// Removes the directories of commands that have ended, because they may contain copies of long-lived keys. If there
/// are none, this costs one system call.
pub fn sweep(paths: &Paths) -> Remains {
    let runs = folder(paths);
    // A symbolic link, or a directory that others can write to, is left alone.
    if !files::is_own_dir(&runs) {
        return Remains::default();
    }
    // A process that holds the lock creates a run, and removes old directories itself.
    match File::open(&runs) {
        Ok(parent) if parent.try_lock().is_ok() => remove_remains(&runs),
        _ => Remains::default(),
    }
}

/// Removes the directories of commands that have ended. The caller holds the lock of their parent directory.
fn remove_remains(runs: &Path) -> Remains {
    let mut remains = Remains::default();
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().and_then(only_a_name) else { continue };
        let is_dir = entry.file_type().is_ok_and(|found| found.is_dir());
        if !is_dir || is_command_running(name) {
            continue;
        }
        match File::open(&path) {
            // A locked directory is in use. On a file system without locks this cannot be determined, so the directory
            // is kept.
            Ok(held) if held.try_lock().is_err() => {}
            Ok(_held) => match fs::remove_dir_all(&path) {
                Ok(()) => remains.removed.push(path),
                Err(error) => remains.stuck.push(FileError::new("remove", &path, error)),
            },
            Err(error) => remains.stuck.push(FileError::new("open", &path, error)),
        }
    }
    remains
}

/// Returns whether the process in a directory's name still runs.
fn is_command_running(name: &str) -> bool {
    let named = || {
        let (process, rest) = name.strip_prefix(PREFIX)?.split_once('.')?;
        let (time, _) = rest.split_once('-')?;
        Some((process.parse().ok()?, time.parse().ok()?))
    };
    named().is_some_and(|(process, recorded): (u32, u64)| is_same(process, recorded, start_time(process)))
}

/// Returns whether a process is the one whose start was recorded, if it started at `time`.
fn is_same(process: u32, recorded: u64, time: Option<u64>) -> bool {
    match time {
        Some(time) => time == recorded,
        // A later process with this ID only delays the removal.
        None => recorded == UNKNOWN_START_TIME && process_exists(process),
    }
}

/// Returns whether there is a process with this ID.
#[must_use]
pub fn process_exists(process: u32) -> bool {
    let pid = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// Returns when a process started, in clock ticks since boot. It distinguishes processes that got the same process ID.
/// `None` if the process has ended, or on systems without /proc, such as macOS.
fn start_time(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name, in parentheses, may contain any character (proc(5)).
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    fields.nth(18)?.parse().ok().filter(|_| !ended)
}

fn folder(paths: &Paths) -> PathBuf {
    paths.cache.join("runs")
}

/// Returns the name if it is a single path component that begins with the prefix.
fn only_a_name(run: &str) -> Option<&str> {
    (run.starts_with(PREFIX) && !run.contains('/')).then_some(run)
}

#[cfg(test)]
mod tests {
    use crate::base::cache_key_backend::CacheKeySetting;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::aws::profiles::tests::home;

    #[test]
    fn a_folder_is_private_and_goes_when_nobody_holds_it() {
        let (_home, context) = home("", "");
        // No process has this ID, so only the lock counts.
        let nobody = u32::MAX;
        let first = Run::open(&context.paths, nobody).unwrap();
        let file = first.write("config", "x").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&first.dir).unwrap().mode() & 0o777, 0o700);
        let second = Run::open(&context.paths, nobody).unwrap();
        assert!(file.exists(), "it is held");
        drop(first);
        Run::open(&context.paths, nobody).unwrap();
        assert!(!file.exists());
        let name = second.name().to_owned();
        drop(second);
        remove_when_gone(&context.paths, &name);
        assert!(!folder(&context.paths).join(&name).exists());
    }

    #[test]
    fn remains_are_swept_and_what_lives_stays() {
        let (home, context) = home("", "");
        let runs = folder(&context.paths);
        assert!(sweep(&context.paths).removed.is_empty() && !runs.exists(), "nothing is made");
        let held = Run::open(&context.paths, u32::MAX).unwrap();
        // A command that closed its inherited files. Its process is the current one.
        let alive = Run::open(&context.paths, std::process::id()).unwrap();
        let alive = (alive.dir.clone(), alive.held).0;
        let left = Run::open(&context.paths, u32::MAX).unwrap();
        let keys = left.write("credentials", "canary").unwrap();
        drop(left);
        let others = ["run-file", "other", "run-link"].map(|name| runs.join(name));
        files::write_private(&others[0], b"x").unwrap();
        fs::create_dir(&others[1]).unwrap();
        std::os::unix::fs::symlink(home.path(), &others[2]).unwrap();
        assert!(keys.exists());
        let remains = sweep(&context.paths);
        assert_eq!(remains.removed, [keys.parent().unwrap()]);
        assert!(remains.stuck.is_empty() && !keys.exists());
        assert!(held.dir.exists() && others.iter().all(|path| path.symlink_metadata().is_ok()));
        assert!(alive.exists());
        assert!(sweep(&context.paths).removed.is_empty());
    }

    #[test]
    fn a_number_that_another_process_got_is_no_life() {
        let me = std::process::id();
        let time = start_time(me);
        assert_eq!(time.is_some(), cfg!(target_os = "linux"));
        if let Some(time) = time {
            assert!(is_command_running(&format!("run-{me}.{time}-x")));
            for name in
                [format!("run-{me}.{}-x", time + 1), format!("run-{me}.{time}"), format!("run-{me}-x"), "run-x".into()]
            {
                assert!(!is_command_running(&name), "{name}");
            }
        }
    }

    #[test]
    fn without_proc_a_process_is_known_by_its_id() {
        let mut child = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let id = child.id();
        assert!(process_exists(id) && is_same(id, UNKNOWN_START_TIME, None));
        assert!(!is_same(id, 1, None) && !is_same(id, UNKNOWN_START_TIME, Some(1)));
        child.kill().and_then(|()| child.wait()).unwrap();
        assert!(
            !process_exists(id)
                && !is_same(id, UNKNOWN_START_TIME, None)
                && !process_exists(0)
                && !process_exists(u32::MAX)
        );
    }

    #[test]
    fn a_folder_of_runs_behind_a_link_is_left_alone() {
        let (home, context) = home("", "");
        let left = Run::open(&context.paths, u32::MAX).unwrap();
        let kept = left.write("x", "x").unwrap();
        drop(left);
        let runs = folder(&context.paths);
        fs::rename(&runs, home.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(home.path().join("elsewhere"), &runs).unwrap();
        assert!(sweep(&context.paths).removed.is_empty() && kept.exists());
    }

    #[test]
    fn a_run_is_no_path() {
        let (home, context) = home("", "");
        let inside = home.path().join("inside");
        fs::create_dir(&inside).unwrap();
        for name in ["../../inside", "run-/../../../inside", "", "."] {
            remove_when_gone(&context.paths, name);
            assert!(
                SavedEnvironment::read(
                    &context.paths,
                    &CacheEncryption::of_cache(&context, CacheKeySetting::Auto),
                    name
                )
                .is_none()
            );
        }
        assert!(inside.exists());
    }
}
