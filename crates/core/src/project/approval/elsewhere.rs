//! Approvals of the same files at other paths: in the main worktree of a linked git worktree, and in another clone.

use std::path::PathBuf;

use super::approvals::{Approvals, Folder};
use super::chain::{Chain, FileChange};
use crate::base::files::trusted::Untrusted;
use crate::project::discover::ConfigFile;
use crate::project::worktree::LinkedWorktree;

/// The record of a linked worktree's files in the main worktree of the same repository.
#[derive(Debug)]
pub enum InMain {
    /// The same files are allowed in this directory.
    Allowed(PathBuf),
    /// Other files were allowed in this directory. They differ from the worktree's in this way.
    Differs(PathBuf, Vec<FileChange>),
    /// The file, or one from which it inherits, was denied in this directory.
    Denied(PathBuf),
    /// The approval isn't used, because another user can change git's files.
    Untrusted(Untrusted),
}

impl Approvals {
    /// Returns the record of a linked worktree's files in the main worktree. `None` if there is none, or if the files
    /// aren't in a linked worktree.
    #[must_use]
    pub fn in_main(&self, chain: &Chain) -> Option<InMain> {
        let worktree = match LinkedWorktree::of(&chain.nearest().place) {
            Ok(worktree) => worktree?,
            Err(untrusted) => return Some(InMain::Untrusted(untrusted)),
        };
        let (files, main) = (worktree.in_main(chain.files())?, worktree.main().to_owned());
        let changes = || self.changes_of(&files);
        match self.allows_in_main(&files, chain.is_open()) {
            None => Some(InMain::Denied(main)),
            Some(true) => Some(InMain::Allowed(main)),
            Some(false) => Some(changes()).filter(|changes| !changes.is_empty()).map(|all| InMain::Differs(main, all)),
        }
    }

    /// Returns the main worktree of the files' linked worktree, if exactly these files are allowed there.
    ///
    /// The record decides, not the present files of the main worktree: as in the main worktree, the approval is for
    /// this content at this path until the path is denied.
    pub(super) fn allowed_in_main(&self, files: &[ConfigFile], open: bool) -> Option<PathBuf> {
        let worktree = LinkedWorktree::of(&files.first()?.place).ok()??;
        let there = worktree.in_main(files)?;
        (self.allows_in_main(&there, open) == Some(true)).then(|| worktree.main().to_owned())
    }

    /// Returns whether files of a main worktree are allowed. `None` if one of them was denied.
    fn allows_in_main(&self, files: &[ConfigFile], open: bool) -> Option<bool> {
        let folders: Vec<Option<Folder>> = files.iter().map(|file| self.trusted_folder(&file.place)).collect();
        let denied = folders.iter().flatten().any(Folder::is_denied);
        (!denied).then(|| folders[0].as_ref().is_some_and(|folder| folder.allows(files, open)))
    }

    /// Returns the paths at which files with the same contents were allowed, sorted: where a clone was before it was
    /// moved, or another clone. The paths need not exist.
    #[must_use]
    pub fn same_elsewhere(&self, chain: &Chain) -> Vec<PathBuf> {
        let others = self.places().into_iter().filter(|place| *place != chain.nearest().place);
        let same = others
            .filter(|place| self.trusted_folder(place).is_some_and(|folder| folder.has_texts(place, chain.files())));
        same.collect()
    }
}

#[cfg(test)]
mod tests;
