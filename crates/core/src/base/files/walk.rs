//! Resolves a path as the kernel does, and shows each directory entry on the way.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};

/// The maximum number of symbolic links that are followed, as in Linux (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A directory entry on the way of a path. It may be a symbolic link, or lead to the target of one.
pub(crate) struct PathEntry<'a> {
    /// The path of the directory, without symbolic links.
    pub(crate) dir: &'a Path,
    /// The directory.
    pub(crate) dir_found: &'a Metadata,
    /// The path of the entry.
    pub(crate) path: &'a Path,
    /// The entry itself, not the target of a symbolic link. `None` if it doesn't exist.
    pub(crate) found: Option<&'a Metadata>,
}

/// Resolves an absolute path, and calls `check` with each directory entry on the way.
///
/// Returns the path without symbolic links. The part that doesn't exist is returned unchanged.
///
/// # Errors
/// Returns the first error of `check`, or that of `failed` for a path that can't be examined.
pub(crate) fn walk<E>(
    path: &Path,
    mut check: impl FnMut(&PathEntry<'_>) -> Result<(), E>,
    failed: impl Fn(&Path, io::Error) -> E,
) -> Result<PathBuf, E> {
    let examine = |path: &Path| path.symlink_metadata().map_err(|e| failed(path, e));
    let mut dir = PathBuf::from("/");
    let mut dir_found = examine(&dir)?;
    let mut rest = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            dir.pop();
            dir_found = examine(&dir)?;
            continue;
        }
        let path = dir.join(name);
        let found = match path.symlink_metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            found => Some(found.map_err(|e| failed(&path, e))?),
        };
        check(&PathEntry { dir: &dir, dir_found: &dir_found, path: &path, found: found.as_ref() })?;
        match found {
            None => return Ok(rest.into_iter().rev().fold(path, |path, name| path.join(name))),
            Some(found) if found.is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(failed(&path, io::ErrorKind::TooManyLinks.into()));
                }
                let target = fs::read_link(&path).map_err(|e| failed(&path, e))?;
                if target.is_absolute() {
                    dir = PathBuf::from("/");
                    dir_found = examine(&dir)?;
                }
                rest.extend(names(&target));
            }
            // If this is a file, the next name in it can't be examined.
            Some(found) => (dir, dir_found) = (path, found),
        }
    }
    Ok(dir)
}

/// Returns the names in a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    names.rev().map(|part| part.as_os_str().to_owned()).collect()
}
