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

/// Returns a path without symbolic links, as [`Path::canonicalize`] does. Most paths have none, and Linux checks
/// this with a single system call (openat2(2)).
///
/// # Errors
/// Fails if the path doesn't exist, or can't be examined.
pub(crate) fn canonical(path: &Path) -> io::Result<PathBuf> {
    if is_without_links(path) { Ok(path.components().collect()) } else { path.canonicalize() }
}

/// Returns whether a path is absolute, exists, and contains neither symbolic links nor `..`. Returns `false` if the
/// kernel can't tell.
#[cfg(target_os = "linux")]
fn is_without_links(path: &Path) -> bool {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

    let flags = OFlags::PATH | OFlags::CLOEXEC;
    path.is_absolute()
        && !path.components().any(|part| part == Component::ParentDir)
        && openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn is_without_links(_: &Path) -> bool {
    false
}

/// Returns the names in a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    names.rev().map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn resolves_paths_as_the_standard_library_does() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        symlink("a/b", root.join("link")).unwrap();
        for path in ["a/b", "a//b/", "a/./b", "a/b/..", "link", "link/..", "a/../link", "none", "link/none"] {
            let path = root.join(path);
            assert_eq!(canonical(&path).ok(), path.canonicalize().ok(), "{}", path.display());
        }
        assert_eq!(canonical(Path::new(".")).unwrap(), Path::new(".").canonicalize().unwrap());
    }
}
