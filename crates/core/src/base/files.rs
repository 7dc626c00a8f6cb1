//! Private files: created with mode 0600, in directories of mode 0700, and written atomically.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use rustix::fs::OFlags;
use rustix::io::retry_on_intr;

pub mod trusted;
pub(crate) mod walk;

/// The mode bits that let other users write.
const OTHERS_WRITE: u32 = 0o022;

/// The name prefix of temporary files.
pub(super) const UNFINISHED: &str = ".new-";

/// A failed file operation, with the file's path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}: {source}", path.display())]
pub struct FileError {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// Creates an error that adds the path to the system's error.
    pub fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self { verb, path: path.to_owned(), source }
    }

    /// Returns whether the operation was refused because the file, or a directory above it, belongs to another user.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.source.get_ref().is_some_and(|source| source.is::<Foreign>())
    }

    /// Returns how to fix it. Names the nearest existing directory, which is the one that isn't writable.
    #[must_use]
    pub fn hint(&self) -> String {
        let exists = |dir: &&Path| dir.symlink_metadata().is_ok();
        let dir = self.path.ancestors().skip(1).find(exists).unwrap_or(Path::new("/")).display();
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("free some space: there is none left for {dir}")
            }
            io::ErrorKind::ReadOnlyFilesystem => format!("{dir} is on a read-only file system"),
            io::ErrorKind::PermissionDenied => format!("make {dir} writable: `chmod u+rwx {dir}`"),
            _ => format!("make {dir} writable and check that the disk isn't full"),
        }
    }

    /// Returns the kind of the system's error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Returns whether a file exists and belongs to the user of this process.
///
/// Symbolic links aren't followed: another user who can create one could point it at any file of this user.
#[must_use]
pub fn is_own(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && check_owner(&found).is_ok())
}

/// Returns the effective user ID of this process, which never changes. The system is asked once.
#[must_use]
pub fn current_user() -> u32 {
    static USER: OnceLock<u32> = OnceLock::new();
    *USER.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// Returns whether a directory exists, isn't a symbolic link, and can be written only by the user of this process.
#[must_use]
pub fn is_own_dir(path: &Path) -> bool {
    are_own_dirs(&[path])
}

/// Returns whether [`is_own_dir`] is true for each of the paths.
#[must_use]
pub fn are_own_dirs(paths: &[&Path]) -> bool {
    let me = current_user();
    let own = |found: fs::Metadata| found.is_dir() && found.uid() == me && found.mode() & OTHERS_WRITE == 0;
    paths.iter().all(|path| fs::symlink_metadata(path).is_ok_and(own))
}

/// Checks that an open file belongs to the user of this process, so that files planted by other users aren't written
/// to.
pub fn check_owner(found: &fs::Metadata) -> io::Result<()> {
    if found.uid() == current_user() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, Foreign::Itself))
}

/// Returns whether an owner is neither root nor the user of this process.
#[must_use]
pub fn is_foreign(owner: u32) -> bool {
    owner != 0 && owner != current_user()
}

/// The message of a [`FileError`] about another user's file or directory.
#[derive(Debug, thiserror::Error)]
enum Foreign {
    #[error("it belongs to another user")]
    Itself,
    #[error("{} belongs to another user", .0.display())]
    Above(PathBuf),
}

/// Creates a directory of mode 0700 and its parents. Tightens the mode if the directory exists.
///
/// # Errors
/// Fails if the directory, or the directory in which it would be created, belongs to another user. Root creates nothing
/// below another user's directory: with that user's HOME (`sudo -E`) it would leave files that the user can't remove.
pub fn private_dir(dir: &Path) -> Result<(), FileError> {
    let failed = |verb, e| FileError::new(verb, dir, e);
    if let Some(above) = foreign_above(dir) {
        return Err(failed("create", io::Error::new(io::ErrorKind::PermissionDenied, Foreign::Above(above))));
    }
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => {
            check_owner(&found).map_err(|e| failed("enter", e))?;
            if found.mode() & 0o077 != 0 {
                fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
                    .map_err(|e| failed("restrict access to", e))?;
            }
            return Ok(());
        }
        _ => {}
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed("create", e))
}

/// Returns the other user's directory in which a new directory would be created. For root, returns the nearest such
/// directory among all parents.
fn foreign_above(dir: &Path) -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return trusted::foreign_component(dir.parent()?);
    }
    let (above, found) = dir.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?)))?;
    (above != dir && is_foreign(found.uid())).then(|| above.to_owned())
}

/// Writes a file atomically.
///
/// The content goes to a temporary file of mode 0600 in the same directory, is flushed to disk, and is renamed over the
/// old file. A reader sees the old content or the new content, never a part.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |e| FileError::new("write", path, e);
    let dir = path.parent().unwrap_or(Path::new("."));
    private_dir(dir)?;
    // tempfile's own error would name the temporary file, not the target.
    let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir).map_err(|e| failed(e.kind().into()))?;
    file.as_file().write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Writes a file as [`write_private`] does, and flushes the directory entry to disk before it returns.
///
/// Used for data that can't be recovered, such as keys. For a cache it would cost more than what is lost.
pub fn write_durable(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_private(path, bytes)?;
    sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(|e| FileError::new("write", path, e))
}

/// Flushes the entries of a directory to disk, so that renamed and removed files survive a crash.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    match fs::File::open(dir)?.sync_all() {
        // Some network file systems don't support fsync of directories.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// Creates a new file atomically, with the mode that the user's umask leaves.
///
/// Neither an existing file nor the target of a symbolic link is overwritten.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mode = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).permissions(mode).tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|e| e.error)?;
    Ok(())
}

/// Returns whether a directory entry is a temporary file, whose write is in progress or was interrupted.
#[must_use]
pub fn is_unfinished(entry: &fs::DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}

/// Removes temporary files that killed processes left in a directory, if they are older than `before`. Younger files
/// may still be in use.
pub fn sweep(dir: &Path, before: SystemTime) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let written = || entry.metadata().and_then(|found| found.modified());
        if is_unfinished(&entry) && written().is_ok_and(|time| time < before) {
            // A file that can't be removed only takes up space.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes a file. A file that doesn't exist is not an error.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", path, e)),
        _ => Ok(()),
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// Fails if the path is not a regular file or the file is larger. At most `limit` bytes are read before that.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read(path, limit, OFlags::empty(), |_| true)
}

/// Reads a regular file as [`read_regular`] does. Returns its content and its owner's user ID.
pub fn read_with_owner(path: &Path, limit: u64) -> io::Result<(Vec<u8>, u32)> {
    let mut owner = 0;
    let bytes = read(path, limit, OFlags::empty(), |found| {
        owner = found.uid();
        true
    })?;
    Ok((bytes, owner))
}

/// Reads a regular file as [`read_regular`] does, if the user of this process owns it. A symbolic link isn't followed,
/// because another user may have planted it.
pub fn read_own(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read(path, limit, OFlags::NOFOLLOW, |found| check_owner(found).is_ok())
}

/// Reads a regular file as [`read_regular`] does, if only root and the user of this process can write to it.
///
/// A group counts as other users, because its members can't be determined reliably.
pub fn read_trusted(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read(path, limit, OFlags::empty(), |found| {
        let me = current_user();
        (found.uid() == me || found.uid() == 0) && found.mode() & OTHERS_WRITE == 0
    })
}

fn read(path: &Path, limit: u64, more: OFlags, may: impl FnOnce(&fs::Metadata) -> bool) -> io::Result<Vec<u8>> {
    let refused = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    // NONBLOCK avoids waiting for the writer of a FIFO. NOCTTY avoids acquiring a controlling terminal.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | more).bits().cast_signed();
    let file = match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(e),
        // Opening fails for sockets, and for symbolic links with NOFOLLOW.
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) => {
            return Err(refused("not a regular file"));
        }
        opened => opened?,
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(refused("not a regular file"));
    }
    if !may(&found) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is writable by others"));
    }
    if found.len() > limit {
        return Err(refused("larger than allowed"));
    }
    // Allocate the full size at once: a growing buffer would leave copies of secrets in memory.
    let size = usize::try_from(found.len()).unwrap_or_default();
    let mut bytes = vec![0; size + 1];
    let count = retry_on_intr(|| rustix::io::read(&file, &mut bytes[..]))?;
    bytes.truncate(count);
    // The whole file was read, unless it changed or its file system doesn't know its size.
    if count != size || size == 0 {
        file.take(limit + 1 - count as u64).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > limit {
        return Err(refused("larger than allowed"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_private_files_and_leaves_no_temporary_files() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/entry");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn rejects_symbolic_links_regardless_of_their_target() {
        let home = tempfile::tempdir().unwrap();
        let (path, link) = (home.path().join("f"), home.path().join("link"));
        write_private(&path, b"12345").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(is_own(&path) && !is_own(&link) && !is_own(home.path()));
        assert_eq!(read_own(&path, 5).unwrap(), b"12345");
        assert!(read_own(&link, 5).unwrap_err().to_string().contains("not a regular file"));
        assert_eq!(read_regular(&link, 5).unwrap(), b"12345");
    }

    #[test]
    fn rejects_files_that_the_group_can_write() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        write_private(&path, b"12345").unwrap();
        for (mode, fine) in [(0o600, true), (0o644, true), (0o660, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_trusted(&path, 5).is_ok(), fine, "{mode:o}");
        }
    }

    #[test]
    fn is_own_dir_rejects_directories_that_others_can_write() {
        let home = tempfile::tempdir().unwrap();
        let (dir, link) = (home.path().join("d"), home.path().join("link"));
        private_dir(&dir).unwrap();
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert!(is_own_dir(&dir) && !is_own_dir(&link) && !is_own_dir(&home.path().join("none")));
        for mode in [0o770, 0o702, 0o1777] {
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
            assert!(!is_own_dir(&dir), "{mode:o}");
        }
    }

    #[test]
    fn reads_only_regular_files_up_to_the_limit() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        write_private(&path, b"12345").unwrap();
        assert_eq!(read_regular(&path, 5).unwrap(), b"12345");
        assert!(read_regular(&path, 4).unwrap_err().to_string().contains("larger"));
        assert!(read_regular(home.path(), 4).unwrap_err().to_string().contains("regular"));
        if cfg!(target_os = "linux") {
            let sizeless = read_regular(Path::new("/proc/self/status"), 1024 * 1024).unwrap();
            assert!(sizeless.len() > 100 && sizeless.ends_with(b"\n"), "a size of 0 doesn't mean that it is empty");
        }
    }
}
