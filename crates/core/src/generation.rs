//! The line that every open shell compares at its prompts, so that all of them follow a command
//! typed in one.

use std::fs::File;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::context::Paths;
use crate::files::{self, FileError};

/// Makes every shell look again at its next prompt.
pub fn bump(paths: &Paths, now: SystemTime) -> Result<(), FileError> {
    let nanos = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    // The process id makes two bumps within one tick of the clock differ.
    let line = format!("{nanos} {}\n", std::process::id());
    files::write_private(&paths.generation(), line.as_bytes())
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
