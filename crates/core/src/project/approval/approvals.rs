//! Where approvals are stored.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::ApprovalStatus;
use super::chain::{self, Chain, FileChange};
use crate::base::digest::sha256;
use crate::base::files::trusted::{self, Untrusted};
use crate::base::files::{self, FileError};
use crate::project::discover::{ConfigFile, place};

/// The name of the file that denies a place.
const DENIED: &str = "denied";

/// More than the largest record: a file has at most 16 KiB, and a directory no more than some hundred above it.
const LARGEST_RECORD: u64 = 16 * 1024 * 1024;

/// The approvals of one user: a folder for each place, in it a file for each allowed content. They
/// accumulate, so that switching branches back and forth needs no new one.
pub struct Approvals {
    data: PathBuf,
    pub(super) dir: PathBuf,
    /// The component of the data directory's path that another user controls; filled at first use.
    untrusted: OnceCell<Option<Untrusted>>,
}

impl Approvals {
    /// Approvals below awsrole's data directory.
    #[must_use]
    pub fn below(data: &Path) -> Self {
        Self { data: data.to_owned(), dir: data.join("approvals"), untrusted: OnceCell::new() }
    }

    /// Returns the component of the path to the approvals that another user controls: then none of them is trusted.
    #[must_use]
    pub fn untrusted(&self) -> Option<&Untrusted> {
        self.untrusted.get_or_init(|| trusted::resolve(&self.data).err()).as_ref()
    }

    /// Makes the data directory private if it is there, before something is recorded in it.
    ///
    /// # Errors
    /// The component of its path that another user controls: nothing that is recorded there would be trusted.
    pub fn prepare(&self) -> Result<(), Untrusted> {
        if self.data.is_dir() {
            // One that can't be changed is named below, or when something is written.
            let _ = files::private_dir(&self.data);
        }
        trusted::resolve(&self.data).map(drop)
    }

    /// Returns the data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Returns what the user recorded for the files that count in a directory. No environment variable changes it.
    #[must_use]
    pub fn standing(&self, chain: &Chain) -> ApprovalStatus {
        match self.trusted_folder(&chain.nearest().place) {
            None => ApprovalStatus::Unknown,
            Some(folder) if folder.is_denied() => ApprovalStatus::Denied,
            Some(folder) if folder.allows(chain.files(), chain.is_open()) => ApprovalStatus::Allowed,
            Some(folder) => folder.standing(),
        }
    }

    /// Returns the first file that was denied among those from which the nearest one inherits.
    #[must_use]
    pub fn denied_base<'c>(&self, chain: &'c Chain) -> Option<&'c ConfigFile> {
        chain.files()[1..].iter().find(|file| self.trusted_folder(&file.place).is_some_and(|folder| folder.is_denied()))
    }

    /// Allows the files that count in a directory, with their content and in their order, and takes back that the
    /// nearest one was denied. The others are not allowed by themselves.
    pub fn allow(&self, chain: &Chain) -> Result<(), FileError> {
        let folder = self.folder(&chain.nearest().place);
        self.make_ours(&folder)?;
        let (name, record) = chain::record(chain.files(), chain.is_open());
        files::write_private(&folder.join(name), &record)?;
        files::remove(&folder.join(DENIED))
    }

    /// Denies a path whatever it contains, and forgets what was allowed there.
    pub fn deny(&self, path: &Path) -> Result<(), FileError> {
        let folder = self.folder(&place(path));
        self.make_ours(&folder)?;
        files::write_private(&folder.join(DENIED), path.as_os_str().as_encoded_bytes())?;
        for entry in fs::read_dir(&folder).map_err(|e| FileError::new("reading", &folder, e))?.flatten() {
            // What is unfinished may be what another process is just about to say.
            if entry.file_name() != DENIED && !files::is_unfinished(&entry) {
                files::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns how the files that count differ from those that were allowed last in the same directory; nothing if none
    /// were.
    #[must_use]
    pub fn changes(&self, chain: &Chain) -> Vec<FileChange> {
        self.changes_of(chain.files())
    }

    pub(super) fn changes_of(&self, files: &[ConfigFile]) -> Vec<FileChange> {
        let place = &files[0].place;
        let newest = self.trusted_folder(place).and_then(|folder| folder.newest());
        let before = newest.and_then(|path| files::read_own(&path, LARGEST_RECORD).ok());
        let before = before.and_then(|bytes| chain::recorded(place, &bytes));
        before.map(|before| chain::changes(files, &before)).unwrap_or_default()
    }

    /// Returns what was recorded for a path, whatever is there now.
    pub(super) fn standing_of_path(&self, path: &Path) -> ApprovalStatus {
        self.trusted_folder(&place(path)).map_or(ApprovalStatus::Unknown, |folder| folder.standing())
    }

    /// Returns whether anything was recorded for a path, trusted or not.
    pub(super) fn has_records(&self, path: &Path) -> bool {
        fs::read_dir(self.folder(&place(path))).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Returns the folder of a place, if no other user can have written to it or replaced it.
    pub(super) fn trusted_folder(&self, place: &Path) -> Option<Folder> {
        let folder = self.folder(place);
        files::are_own_dirs(&[&self.dir, &folder]).then_some(Folder(folder))
    }

    /// Creates the folders and makes them private: what is recorded in others would never be trusted.
    fn make_ours(&self, folder: &Path) -> Result<(), FileError> {
        files::private_dir(&self.data)?;
        for dir in [&self.dir, folder] {
            files::private_dir(dir)?;
            if !files::is_own_dir(dir) {
                return Err(FileError::new("entering", dir, io::Error::other("it is a link")));
            }
        }
        Ok(())
    }

    pub(super) fn folder(&self, place: &Path) -> PathBuf {
        self.dir.join(sha256(&[place.as_os_str().as_encoded_bytes()]))
    }
}

/// What was recorded for one place.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn is_denied(&self) -> bool {
        files::is_own(&self.0.join(DENIED))
    }

    /// Returns whether exactly these files were allowed, in this order, with nothing above them if the last inherits.
    pub(super) fn allows(&self, files: &[ConfigFile], open: bool) -> bool {
        files::is_own(&self.0.join(chain::record(files, open).0))
    }

    /// Returns what was recorded for contents other than the present one.
    pub(super) fn standing(&self) -> ApprovalStatus {
        let names: Vec<_> = self.entries().map(|entry| entry.file_name()).collect();
        if names.iter().any(|name| name == DENIED) {
            ApprovalStatus::Denied
        } else if names.is_empty() {
            ApprovalStatus::Unknown
        } else {
            ApprovalStatus::Edited
        }
    }

    /// Returns the record that was written last.
    fn newest(&self) -> Option<PathBuf> {
        let records = self.entries().filter(|entry| entry.file_name() != DENIED);
        let newest = records.max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok())?;
        Some(newest.path())
    }

    fn entries(&self) -> impl Iterator<Item = fs::DirEntry> {
        let whole = fs::read_dir(&self.0).into_iter().flatten().flatten().filter(|entry| !files::is_unfinished(entry));
        whole.filter(|entry| files::is_own(&entry.path()))
    }
}
