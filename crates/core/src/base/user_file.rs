//! Files that belong to the user and that other programs write, too: rc files and `~/.aws/config`.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, Gid, Uid, access, fchown};
use zeroize::Zeroizing;

use crate::base::context::{Context, Paths};
use crate::base::files::{FileError, UNFINISHED, read_regular, sync_dir};
use crate::base::lock::{self, LockError};
use crate::base::problem::Problem;

/// The largest file that is changed, in bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The time to wait for another awsrole that changes a file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of symbolic links that are followed, as in Linux (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A file as it was read. Only an unchanged file is replaced.
pub struct UserFile {
    path: PathBuf,
    /// The path without symbolic links, so that a link stays a link.
    target: PathBuf,
    content: Option<Zeroizing<Vec<u8>>>,
    found: Option<Metadata>,
}

/// The reason why a file wasn't replaced. It is unchanged then.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Another program changed it in the meantime.
    #[error("another program changed it in the meantime")]
    Changed,
    /// Another awsrole is changing such a file.
    #[error(transparent)]
    Locked(LockError),
    /// It can't be written.
    #[error(transparent)]
    File(FileError),
}

impl UserFile {
    /// Reads a file. It need not exist.
    ///
    /// # Errors
    /// Fails if it isn't a regular file, can't be read, or is larger than 8 MiB.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let target = follow(path).map_err(|e| FileError::new("follow", path, e))?;
        let (content, found) = match read_regular(&target, MAX_BYTES) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => (None, None),
            bytes => {
                let bytes = bytes.map_err(|e| FileError::new("read", path, e))?;
                let found = fs::metadata(&target).map_err(|e| FileError::new("read", path, e))?;
                (Some(Zeroizing::new(bytes)), Some(found))
            }
        };
        Ok(Self { path: path.to_owned(), target, content, found })
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path without symbolic links.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Returns the content, or `None` if the file doesn't exist.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_ref().map(|bytes| bytes.as_slice())
    }

    /// Returns whether the user doesn't want the file to be written or can't write it: nobody may write to it, or this
    /// user can't write to it or to its directory.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        let dir = self.target.ancestors().skip(1).find(|dir| dir.exists()).unwrap_or(Path::new("/"));
        let refused = |path: &Path| access(path, Access::WRITE_OK).is_err();
        let file = self.found.as_ref().is_some_and(|found| found.mode() & 0o222 == 0 || refused(&self.target));
        file || refused(dir)
    }

    /// Replaces the content atomically. The file keeps its mode and owner, and symbolic links to it stay links. A new
    /// file gets `mode`, as far as the umask permits. `None` removes the file.
    ///
    /// # Errors
    /// Fails if the file was changed since it was read, or can't be written.
    pub fn replace(&self, after: Option<&[u8]>, mode: u32, paths: &Paths) -> Result<(), ReplaceError> {
        let _lock = lock::acquire(&paths.state.join("user-files.lock"), LOCK_TIMEOUT).map_err(ReplaceError::Locked)?;
        let failed = |e| ReplaceError::File(FileError::new("write", &self.path, e));
        // A new file may have a relative path.
        let dir = self.target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Some(after) = after {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
            let permissions = self.found.as_ref().map_or_else(|| Permissions::from_mode(mode), Metadata::permissions);
            // tempfile's own error would name the temporary file.
            let mut temporary = tempfile::Builder::new()
                .prefix(UNFINISHED)
                .permissions(permissions.clone())
                .tempfile_in(dir)
                .map_err(|e| failed(e.kind().into()))?;
            temporary.write_all(after).map_err(failed)?;
            if let Some(found) = &self.found {
                self.keep_owner(temporary.as_file(), found).map_err(failed)?;
                temporary.as_file().set_permissions(permissions).map_err(failed)?;
            }
            temporary.as_file().sync_all().map_err(failed)?;
            self.check_unchanged()?;
            match self.found {
                Some(_) => temporary.persist(&self.target).map_err(|e| failed(e.error))?,
                None => temporary.persist_noclobber(&self.target).map_err(|e| match e.error.kind() {
                    io::ErrorKind::AlreadyExists => ReplaceError::Changed,
                    _ => failed(e.error),
                })?,
            };
        } else {
            self.check_unchanged()?;
            fs::remove_file(&self.target).map_err(failed)?;
        }
        sync_dir(dir).map_err(failed)
    }

    /// Gives the new file the owner and the group of the old one, which differ if root changes another user's file.
    fn keep_owner(&self, file: &fs::File, found: &Metadata) -> io::Result<()> {
        let new = file.metadata()?;
        if (new.uid(), new.gid()) == (found.uid(), found.gid()) {
            return Ok(());
        }
        fchown(file, Some(Uid::from_raw(found.uid())), Some(Gid::from_raw(found.gid()))).map_err(io::Error::from)
    }

    fn check_unchanged(&self) -> Result<(), ReplaceError> {
        match Self::read(&self.path) {
            Ok(now) if now.target == self.target && now.content == self.content => Ok(()),
            _ => Err(ReplaceError::Changed),
        }
    }
}

impl ReplaceError {
    /// Returns the problem with a file.
    #[must_use]
    pub fn problem(&self, path: &Path, context: &Context) -> Problem {
        let problem = Problem::new(format!("{} was not changed", context.shorten(path))).because(self);
        match self {
            Self::Changed | Self::Locked(_) => problem.hint("run the same command again"),
            Self::File(error) => problem.hint(error.hint()),
        }
    }
}

/// Follows the symbolic links at a path, the last of which may be dangling.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match path.canonicalize() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => match fs::read_link(&path) {
                Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
                Err(_) => return Ok(path),
            },
            resolved => return resolved,
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::aws::profiles::tests::home;
    use crate::base::files::write_private;

    #[test]
    fn links_modes_and_concurrent_changes_stay() {
        let (_home, context) = home("", "");
        let paths = &context.paths;
        let (real, link) = (paths.home.join("dotfiles/rc"), paths.home.join("rc"));
        symlink("dotfiles/rc", &link).unwrap();
        UserFile::read(&link).unwrap().replace(Some(b"one"), 0o640, paths).unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink(), "the link was dangling");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
        fs::set_permissions(&real, Permissions::from_mode(0o604)).unwrap();
        let (first, second) = (UserFile::read(&link).unwrap(), UserFile::read(&real).unwrap());
        first.replace(Some(b"two"), 0o600, paths).unwrap();
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o604);
        for after in [Some(b"three".as_slice()), None] {
            assert!(matches!(second.replace(after, 0o600, paths), Err(ReplaceError::Changed)));
        }
        assert_eq!(fs::read(&link).unwrap(), b"two");
        UserFile::read(&link).unwrap().replace(None, 0o600, paths).unwrap();
        assert!(!real.exists() && link.symlink_metadata().is_ok());
        assert!(matches!(first.replace(Some(b"four"), 0o600, paths), Err(ReplaceError::Changed)), "it was removed");
        assert_eq!(fs::read_dir(paths.home.join("dotfiles")).unwrap().count(), 0, "no temporary file is left");
        symlink("loop", paths.home.join("loop")).unwrap();
        assert!(UserFile::read(&paths.home.join("loop")).is_err() && UserFile::read(&paths.home).is_err());
    }

    #[test]
    fn a_file_that_nobody_may_write_is_read_only() {
        let (_home, context) = home("", "");
        let path = context.paths.home.join("rc");
        assert!(!UserFile::read(&path).unwrap().is_read_only());
        write_private(&path, b"x").unwrap();
        assert!(!UserFile::read(&path).unwrap().is_read_only());
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        assert!(UserFile::read(&path).unwrap().is_read_only());
    }
}
