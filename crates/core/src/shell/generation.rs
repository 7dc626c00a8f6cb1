//! Notifies all open shells when a command typed in one of them changed something, such as an approval.
//!
//! A *generation* is an empty file with a unique name. A shell notes the name before it requests a decision. At each
//! prompt it checks whether a file of this name still exists. A command renames the file to notify all shells.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::context::Paths;
use crate::base::files::{self, FileError};

/// Creates the first generation, if there is none.
pub fn ensure(paths: &Paths, now: SystemTime) -> Result<(), FileError> {
    // The directory is never empty, so this check suffices.
    if paths.generations().is_dir() { Ok(()) } else { bump(paths, now) }
}

/// Returns the name of the present generation, or an empty text.
#[must_use]
pub fn current(paths: &Paths) -> String {
    let last = names(&paths.generations()).unwrap_or_default().into_iter().max();
    last.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Starts a new generation: every shell requests a new decision at its next prompt.
pub fn bump(paths: &Paths, now: SystemTime) -> Result<(), FileError> {
    let folder = paths.generations();
    let new = folder.join(new_name(now));
    let mut names = names(&folder)?;
    let Some(last) = names.pop() else {
        return files::write_private(&new, b"");
    };
    // There can be several files if two processes created the first one at the same time, or if a file was copied.
    for name in names {
        let path = folder.join(name);
        unless_gone(fs::remove_file(&path)).map_err(|e| FileError::new("remove", &path, e))?;
    }
    // If the file is gone, another process started a new generation after `names` was called. That is sufficient.
    let path = folder.join(last);
    unless_gone(fs::rename(&path, new)).map_err(|e| FileError::new("rename", &path, e))
}

/// Returns a unique name. The process ID distinguishes names of the same clock tick.
fn new_name(now: SystemTime) -> String {
    format!("{}-{}", now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos(), std::process::id())
}

/// Returns the names that shells see in the directory, which exclude temporary files.
fn names(folder: &Path) -> Result<Vec<OsString>, FileError> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::new("read", folder, error)),
    };
    let names = found.flatten().map(|entry| entry.file_name());
    Ok(names.filter(|name| !name.as_encoded_bytes().starts_with(b".")).collect())
}

fn unless_gone(done: std::io::Result<()>) -> std::io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Creates the file dated 1970 that fish uses as a clock, if it doesn't exist.
pub fn ensure_clock(paths: &Paths) -> Result<(), FileError> {
    let path = paths.clock();
    let is_epoch = |time: SystemTime| time == UNIX_EPOCH;
    if path.metadata().and_then(|found| found.modified()).is_ok_and(is_epoch) {
        return Ok(());
    }
    files::write_private(&path, b"")?;
    let set = File::options().write(true).open(&path).and_then(|file| file.set_modified(UNIX_EPOCH));
    set.map_err(|e| FileError::new("set the time of", &path, e))
}
