//! Advisory locks on files. The kernel releases them when the process that holds them ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::base::files::{self, FileError};

/// An exclusive lock, released when it is dropped or its process ends.
pub struct Lock {
    file: File,
}

impl Lock {
    /// Tells waiting processes which prompt is open and where, as a complete phrase. An empty text clears it.
    pub fn announce(&self, phrase: &str) {
        // If this fails, other processes only wait longer.
        let _ = self.file.set_len(0).and_then(|()| self.file.write_all_at(phrase.as_bytes(), 0));
    }
}

/// The reason why a lock wasn't acquired.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock file can't be used.
    #[error(transparent)]
    File(FileError),
    /// Another process holds the lock and is prompting the user. Contains the text that it announced.
    #[error("another process holds it: {0}")]
    Asking(String),
    /// Another process held the lock until the timeout.
    #[error("another process holds it")]
    Busy,
}

/// Acquires the lock of a file. Creates the file, in a private directory, if it doesn't exist.
///
/// # Errors
/// Fails if the file can't be used or belongs to another user, if another process holds the lock until `timeout`, or
/// immediately if that process is prompting the user.
pub fn acquire(path: &Path, timeout: Duration) -> Result<Lock, LockError> {
    let failed = |e| LockError::File(FileError::new("lock", path, e));
    files::private_dir(path.parent().unwrap_or(path)).map_err(LockError::File)?;
    // NOFOLLOW rejects symbolic links, and NONBLOCK avoids waiting for the other end of a FIFO.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut open = OpenOptions::new();
    open.create(true).truncate(false).read(true).write(true).mode(0o600).custom_flags(flags);
    let mut file = open.open(path).map_err(failed)?;
    file.metadata().and_then(|found| files::check_owner(&found)).map_err(failed)?;
    let pause = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            // If the file was removed in the meantime, other processes lock a different file.
            Ok(()) if !is_at(&file, path) => {
                file = open.open(path).map_err(failed)?;
                file.metadata().and_then(|found| files::check_owner(&found)).map_err(failed)?;
                continue;
            }
            Ok(()) => {
                let lock = Lock { file };
                lock.announce("");
                return Ok(lock);
            }
            Err(TryLockError::WouldBlock) => match fs::read_to_string(path) {
                Ok(phrase) if !phrase.is_empty() => return Err(LockError::Asking(phrase)),
                _ if waited >= timeout => return Err(LockError::Busy),
                _ => std::thread::sleep(pause),
            },
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        waited += pause;
    }
}

/// Returns whether no process holds the lock of a file.
///
/// The file may then be removed. A process that has just opened it detects the removal.
#[must_use]
pub fn is_free(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Returns whether an open file is still the one at a path.
fn is_at(file: &File, path: &Path) -> bool {
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => place(open) == place(there),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holder_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let acquire = |name: &str, timeout| acquire(&home.path().join(name), timeout);
        let first = acquire("k", Duration::ZERO).ok().unwrap();
        assert!(matches!(acquire("k", Duration::from_millis(40)), Err(LockError::Busy)));
        assert!(acquire("other", Duration::ZERO).is_ok());
        first.announce("/dev/pts/7 (process 4711)");
        assert!(matches!(acquire("k", Duration::MAX), Err(LockError::Asking(place)) if place.contains("4711")));
        drop(first);
        assert!(acquire("k", Duration::ZERO).is_ok(), "what was announced ends with the lock");
    }

    #[test]
    fn detects_a_removed_lock_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("k");
        let first = acquire(&path, Duration::ZERO).ok().unwrap();
        assert!(!is_free(&path));
        fs::remove_file(&path).unwrap();
        let second = acquire(&path, Duration::ZERO).ok().unwrap();
        assert!(!is_at(&first.file, &path) && is_at(&second.file, &path));
        drop(second);
        assert!(is_free(&path));
    }
}
