//! Kernel locks on files: they end with the process that holds them, however that ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::base::files::{self, FileError};

/// The right to do what only one process may do at a time; given back when dropped or when the process dies.
pub struct Lock {
    file: File,
}

impl Lock {
    /// Tells those who wait what a person is being asked for, and where, as a whole phrase; an empty text takes it
    /// back.
    pub fn announce(&self, phrase: &str) {
        // What can't be told costs others a wait, nothing more.
        let _ = self.file.set_len(0).and_then(|()| self.file.write_all_at(phrase.as_bytes(), 0));
    }
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file can't be used.
    #[error(transparent)]
    File(FileError),
    /// Somebody else has it, and is waiting for a person: what they announced.
    #[error("another process holds it: {0}")]
    Asking(String),
    /// Somebody else has had it for too long.
    #[error("another process holds it")]
    Busy,
}

/// Takes the lock of a file, which is made if it isn't there, in a private directory.
///
/// # Errors
/// A file that can't be used or is another user's; and somebody who holds it, after `timeout`, or at
/// once if that one waits for a person.
pub fn acquire(path: &Path, timeout: Duration) -> Result<Lock, LockError> {
    let failed = |e| LockError::File(FileError::new("locking", path, e));
    files::private_dir(path.parent().unwrap_or(path)).map_err(LockError::File)?;
    // Neither follows a link nor waits for whoever else opens a FIFO.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut open = OpenOptions::new();
    open.create(true).truncate(false).read(true).write(true).mode(0o600).custom_flags(flags);
    let mut file = open.open(path).map_err(failed)?;
    file.metadata().and_then(|found| files::check_owner(&found)).map_err(failed)?;
    let pause = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            // A file that was removed in between isn't the one that others lock.
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

/// Returns true if nobody holds the lock of a file. The file may then be removed: who opens it at that moment notices.
#[must_use]
pub fn is_free(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Whether an open file is still the one at a path.
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
    fn one_holds_the_lock() {
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
    fn a_lock_file_that_was_removed_is_not_the_lock() {
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
