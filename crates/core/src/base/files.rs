//! Private files: 0600 from birth, in 0700 directories, whole or not there.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;

pub mod trusted;

/// The bits of a mode that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// How the names of files begin that aren't finished.
const UNFINISHED: &str = ".new-";

/// An operation on a file that failed, with the file's name.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {}: {source}", path.display())]
pub struct FileError {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// Names the file beside the system's words.
    pub fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self { verb, path: path.to_owned(), source }
    }

    /// Returns whether the file wasn't used because it, or a directory above it, belongs to another user.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.source.get_ref().is_some_and(|source| source.is::<Foreign>())
    }

    /// What the system said.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Whether a file is there and belongs to the user of this process. A link isn't followed: whoever can put one there
/// could let it lead to any file of the user's.
#[must_use]
pub fn is_own(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && check_owner(&found).is_ok())
}

/// Whether a directory is there, is no link, and nobody but the user of this process can put anything into it.
#[must_use]
pub fn is_own_dir(path: &Path) -> bool {
    are_own_dirs(&[path])
}

/// Whether each of these is what [`is_own_dir`] says.
#[must_use]
pub fn are_own_dirs(paths: &[&Path]) -> bool {
    let me = rustix::process::geteuid().as_raw();
    let own = |found: fs::Metadata| found.is_dir() && found.uid() == me && found.mode() & OTHERS_WRITE == 0;
    paths.iter().all(|path| fs::symlink_metadata(path).is_ok_and(own))
}

/// Checks that an open file belongs to the user of this process: what others planted isn't written to.
pub fn check_owner(found: &fs::Metadata) -> io::Result<()> {
    if found.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, Foreign::Itself))
}

/// Returns whether an owner is neither root nor the user of this process.
#[must_use]
pub fn is_foreign(owner: u32) -> bool {
    owner != 0 && owner != rustix::process::geteuid().as_raw()
}

/// What a [`FileError`] says of another user's files and directories.
#[derive(Debug, thiserror::Error)]
enum Foreign {
    #[error("it belongs to another user")]
    Itself,
    #[error("{} belongs to another user", .0.display())]
    Above(PathBuf),
}

/// Creates a directory that only its owner may enter, with its parents, and tightens one that is there already.
///
/// # Errors
/// Another user's directory is refused, however tight, and so is a new one in another user's. Root creates nothing
/// anywhere below another user's directory: with that user's HOME (`sudo -E`) it would leave what they can't remove.
pub fn private_dir(dir: &Path) -> Result<(), FileError> {
    let failed = |verb, e| FileError::new(verb, dir, e);
    if let Some(above) = foreign_above(dir) {
        return Err(failed("creating", io::Error::new(io::ErrorKind::PermissionDenied, Foreign::Above(above))));
    }
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => {
            check_owner(&found).map_err(|e| failed("entering", e))?;
            if found.mode() & 0o077 != 0 {
                fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|e| failed("making private", e))?;
            }
            return Ok(());
        }
        _ => {}
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed("creating", e))
}

/// Returns the directory of another user in which a new one would be created, or for root the first one above it.
fn foreign_above(dir: &Path) -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return trusted::foreign_component(dir.parent()?);
    }
    let (above, found) = dir.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?)))?;
    (above != dir && is_foreign(found.uid())).then(|| above.to_owned())
}

/// Writes a file whole or not at all: into a temporary file of mode 0600 beside it, to the disk,
/// then renamed over the old one. A reader sees the old content or the new one, never a part.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |e| FileError::new("writing", path, e);
    let dir = path.parent().unwrap_or(Path::new("."));
    private_dir(dir)?;
    // tempfile would name its own file beside the one that is meant.
    let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir).map_err(|e| failed(e.kind().into()))?;
    file.as_file().write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Writes a file as [`write_private`] does, and returns when a crash can't undo it: the directory's entry is on the
/// disk as well. For what can't be recovered, such as keys; for a cache it would cost more than what is lost.
pub fn write_durable(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_private(path, bytes)?;
    sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(|e| FileError::new("writing", path, e))
}

/// Brings the entries of a directory to the disk: files that were renamed into it or removed.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    match fs::File::open(dir)?.sync_all() {
        // Some network file systems know no such thing for directories; there is nothing to wait for.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// Writes a file that isn't there yet, with the mode that the user's umask leaves, whole or not at
/// all. Neither an old file nor whatever a link leads to is written over.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mode = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).permissions(mode).tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|e| e.error)?;
    Ok(())
}

/// Whether a directory's entry is a file that is being written, or never was to its end.
#[must_use]
pub fn is_unfinished(entry: &fs::DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}

/// Removes what processes left in a directory that were killed while they wrote, if it was written
/// before a time: a younger one may still be finished.
pub fn sweep(dir: &Path, before: SystemTime) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let written = || entry.metadata().and_then(|found| found.modified());
        if is_unfinished(&entry) && written().is_ok_and(|time| time < before) {
            // What can't be removed harms nobody but by its size.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes a file; one that isn't there is as good as removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FileError::new("removing", path, e)),
        _ => Ok(()),
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// Anything but a regular file and anything larger is refused, before more than `limit` bytes were
/// read.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read(path, limit, OFlags::empty(), |_| true)
}

/// Reads a regular file as [`read_regular`] does, and returns its content with its owner's user id.
pub fn read_with_owner(path: &Path, limit: u64) -> io::Result<(Vec<u8>, u32)> {
    let mut owner = 0;
    let bytes = read(path, limit, OFlags::empty(), |found| {
        owner = found.uid();
        true
    })?;
    Ok((bytes, owner))
}

/// Reads a regular file as [`read_regular`] does, if the user of this process owns it: what others
/// planted isn't read, nor what a link of theirs leads to.
pub fn read_own(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read(path, limit, OFlags::NOFOLLOW, |found| check_owner(found).is_ok())
}

/// Reads a regular file as [`read_regular`] does, if nobody can write to it but root and the user of
/// this process. A group is others, too: whether its only member is the user isn't to be seen.
pub fn read_trusted(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let me = rustix::process::geteuid().as_raw();
    read(path, limit, OFlags::empty(), |found| {
        (found.uid() == me || found.uid() == 0) && found.mode() & OTHERS_WRITE == 0
    })
}

fn read(path: &Path, limit: u64, more: OFlags, may: impl FnOnce(&fs::Metadata) -> bool) -> io::Result<Vec<u8>> {
    let refused = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    // Neither waits for a FIFO's writer nor makes a terminal ours.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | more).bits().cast_signed();
    let file = match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(e),
        // Neither a socket nor a link that isn't followed can even be opened.
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
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may write to it"));
    }
    // Room for all of it at once: a growing buffer would leave copies of secrets behind.
    let mut bytes = Vec::with_capacity(usize::try_from(found.len().min(limit) + 1).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(refused("larger than allowed"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_private_and_leaves_nothing_else() {
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
    fn a_link_is_not_ones_own_wherever_it_leads() {
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
    fn a_file_that_a_group_can_write_is_not_trusted() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        write_private(&path, b"12345").unwrap();
        for (mode, fine) in [(0o600, true), (0o644, true), (0o660, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_trusted(&path, 5).is_ok(), fine, "{mode:o}");
        }
    }

    #[test]
    fn a_directory_is_ones_own_that_nobody_else_can_fill() {
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
    fn reads_regular_files_up_to_the_limit_only() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        write_private(&path, b"12345").unwrap();
        assert_eq!(read_regular(&path, 5).unwrap(), b"12345");
        assert!(read_regular(&path, 4).unwrap_err().to_string().contains("larger"));
        assert!(read_regular(home.path(), 4).unwrap_err().to_string().contains("regular"));
    }
}
