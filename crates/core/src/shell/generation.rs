//! How all open shells learn of a command typed in one: a file whose name is new each time. A shell notes the name
//! before it asks, and sees at its prompts whether the file is still there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::context::Paths;
use crate::base::files::{self, FileError};

/// Makes the first file, if there is none.
pub fn ensure(paths: &Paths, now: SystemTime) -> Result<(), FileError> {
    // It is never empty, so that this one look will do.
    if paths.generations().is_dir() { Ok(()) } else { bump(paths, now) }
}

/// Makes every shell look again at its next prompt.
pub fn bump(paths: &Paths, now: SystemTime) -> Result<(), FileError> {
    let folder = paths.generations();
    let new = folder.join(new_name(now));
    let mut names = names(&folder)?;
    let Some(last) = names.pop() else {
        return files::write_private(&new, b"");
    };
    // More than one can be there if two processes made the first at once, or if something copied one.
    for name in names {
        let path = folder.join(name);
        unless_gone(fs::remove_file(&path)).map_err(|e| FileError::new("removing", &path, e))?;
    }
    // What is gone was renamed by another process after the list was read, and so after what this one has to tell.
    let path = folder.join(last);
    unless_gone(fs::rename(&path, new)).map_err(|e| FileError::new("renaming", &path, e))
}

/// The process id makes two names within one tick of the clock differ.
fn new_name(now: SystemTime) -> String {
    format!("{}-{}", now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos(), std::process::id())
}

/// What shells see in the folder: not what is about to be written.
fn names(folder: &Path) -> Result<Vec<OsString>, FileError> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::new("reading", folder, error)),
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

/// Makes the file that serves fish as a clock, if it isn't there.
pub fn ensure_clock(paths: &Paths) -> Result<(), FileError> {
    let path = paths.clock();
    let is_epoch = |time: SystemTime| time == UNIX_EPOCH;
    if path.metadata().and_then(|found| found.modified()).is_ok_and(is_epoch) {
        return Ok(());
    }
    files::write_private(&path, b"")?;
    let set = File::options().write(true).open(&path).and_then(|file| file.set_modified(UNIX_EPOCH));
    set.map_err(|e| FileError::new("dating", &path, e))
}
