//! Finds the main worktree of a linked git worktree, without starting git.
//!
//! A linked worktree has a file `.git` that names its directory in the repository, and that directory names the `.git`
//! file (gitrepository-layout(5), `worktrees/<id>/`). Anyone can write a `.git` file, so only both directions together
//! prove that the worktree belongs to the repository.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::base::files::read_regular;
use crate::base::files::trusted::{self, Untrusted};
use crate::project::discover::ConfigFile;

/// The name of a repository's directory, and of the file in a linked worktree that leads to it.
const GIT: &str = ".git";

/// The directory in the repository that contains a directory for each linked worktree.
const WORKTREES: &str = "worktrees";

/// The largest file of git that is read, in bytes: a path of at most 4096 bytes (PATH_MAX) after a prefix.
const MAX_BYTES: u64 = 4200;

/// A linked worktree whose repository confirms it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedWorktree {
    /// The worktree's directory, without symbolic links.
    root: PathBuf,
    /// The directory of the repository's main worktree, without symbolic links.
    main: PathBuf,
}

impl LinkedWorktree {
    /// Returns the linked worktree that contains a project file. `place` is [`ConfigFile::place`].
    ///
    /// Returns `None` for everything else: a main worktree, a submodule, a linked worktree of a bare repository or of
    /// one with a separate git directory, and a `.git` file to which no repository leads back.
    ///
    /// # Errors
    /// Returns the first component of the paths to git's files that belongs to another user, or that others can write
    /// to. They could make any directory a worktree of the repository.
    pub fn of(place: &Path) -> Result<Option<Self>, Untrusted> {
        let Some((worktree, files)) = find(place) else { return Ok(None) };
        for file in files {
            trusted::resolve(&file)?;
        }
        Ok(Some(worktree))
    }

    /// Returns the directory of the main worktree.
    #[must_use]
    pub fn main(&self) -> &Path {
        &self.main
    }

    /// Returns a chain's files as they would be in the main worktree: those of the worktree at the same relative path,
    /// those above it unchanged. `None` if one of the worktree's files belongs to another user.
    #[must_use]
    pub fn in_main(&self, files: &[ConfigFile]) -> Option<Vec<ConfigFile>> {
        let moved =
            |path: &Path| path.strip_prefix(&self.root).map_or_else(|_| path.into(), |rest| self.main.join(rest));
        let files = files.iter().map(|file| {
            let foreign = file.owner.is_some() && file.place.starts_with(&self.root);
            let (place, canonical) = (moved(&file.place), moved(&file.canonical));
            (!foreign).then(|| ConfigFile { place, canonical, ..file.clone() })
        });
        files.collect()
    }
}

/// Returns the worktree, and the files of git that prove it.
fn find(place: &Path) -> Option<(LinkedWorktree, [PathBuf; 3])> {
    let has_git = |dir: &&Path| dir.join(GIT).symlink_metadata().is_ok();
    let root = place.ancestors().skip(1).find(has_git)?;
    let link = root.join(GIT);
    // A symbolic link isn't a worktree's file: it leads to the file of another one.
    if !link.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let admin = path_in(&link, b"gitdir: ", root)?.canonicalize().ok()?;
    let common = admin.parent().filter(|dir| dir.file_name() == Some(OsStr::new(WORKTREES)))?.parent()?;
    let main = common.parent().filter(|_| common.file_name() == Some(OsStr::new(GIT)))?;
    let [commondir, gitdir] = [admin.join("commondir"), admin.join("gitdir")];
    let back = path_in(&gitdir, b"", &admin)?;
    let leads_back = back.file_name() == Some(OsStr::new(GIT)) && back.parent()?.canonicalize().ok()? == root;
    let is_of_common = path_in(&commondir, b"", &admin)?.canonicalize().ok()? == common;
    // A bare repository that is named `.git` has no main worktree, and so no index.
    let has_main = common.join("index").symlink_metadata().is_ok_and(|found| found.is_file());
    let worktree = LinkedWorktree { root: root.to_owned(), main: main.to_owned() };
    (leads_back && is_of_common && has_main).then_some((worktree, [link, gitdir, commondir]))
}

/// Returns the path in one of git's files, which may be relative to `base`.
///
/// Git removes line ends after the path (`read_gitfile_gently`). Other control characters are rejected.
fn path_in(file: &Path, prefix: &[u8], base: &Path) -> Option<PathBuf> {
    let bytes = read_regular(file, MAX_BYTES).ok()?;
    let mut path = bytes.strip_prefix(prefix)?;
    while let Some(rest) = path.strip_suffix(b"\n").or_else(|| path.strip_suffix(b"\r")) {
        path = rest;
    }
    let is_plain = !path.is_empty() && !path.iter().any(u8::is_ascii_control);
    is_plain.then(|| base.join(OsStr::from_bytes(path)))
}

#[cfg(test)]
pub(crate) mod tests;
