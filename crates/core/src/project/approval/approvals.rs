//! The storage of approvals.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::ApprovalStatus;
use super::chain::{self, Chain, FileChange, Recorded};
use crate::base::digest::sha256;
use crate::base::files::trusted::{self, Untrusted};
use crate::base::files::{self, FileError};
use crate::project::discover::{ConfigFile, place};

/// The name of the file that records a denial.
const DENIED: &str = "denied";

/// The name of the directory with the paths of allowed files.
const PLACES: &str = "places";

/// An upper bound for records: a file has at most 16 KiB, and a directory has at most a few hundred parents.
const MAX_RECORD_BYTES: u64 = 16 * 1024 * 1024;

/// The approvals of one user: a directory for each path, with a file for each allowed content.
///
/// Approvals accumulate, so switching back and forth between branches needs no new one.
pub struct Approvals {
    data: PathBuf,
    pub(super) dir: PathBuf,
    /// The component of the data directory's path that another user controls. Determined at first use.
    untrusted: OnceCell<Option<Untrusted>>,
}

impl Approvals {
    /// Returns the approvals in awsrole's data directory.
    #[must_use]
    pub fn below(data: &Path) -> Self {
        Self { data: data.to_owned(), dir: data.join("approvals"), untrusted: OnceCell::new() }
    }

    /// Returns the component of the approvals' path that another user controls. If there is one, no approval is
    /// trusted.
    #[must_use]
    pub fn untrusted(&self) -> Option<&Untrusted> {
        self.untrusted.get_or_init(|| trusted::resolve(&self.data).err()).as_ref()
    }

    /// Makes an existing data directory private, before anything is recorded in it.
    ///
    /// # Errors
    /// Returns the component of its path that another user controls, because records below it wouldn't be trusted.
    pub fn prepare(&self) -> Result<(), Untrusted> {
        if self.data.is_dir() {
            // If this fails, the directory is reported below, or when a record is written.
            let _ = files::private_dir(&self.data);
        }
        trusted::resolve(&self.data).map(drop)
    }

    /// Returns the data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Returns the user's decision about the files that apply to a directory. Environment variables have no effect on
    /// it.
    #[must_use]
    pub fn status(&self, chain: &Chain) -> ApprovalStatus {
        match self.trusted_folder(&chain.nearest().place) {
            None => ApprovalStatus::Unknown,
            Some(folder) if folder.is_denied() => ApprovalStatus::Denied,
            Some(folder) if folder.allows(chain.files(), chain.is_open()) => ApprovalStatus::Allowed,
            Some(folder) => folder.status(),
        }
    }

    /// Returns the first denied file among those from which the nearest one inherits.
    #[must_use]
    pub fn denied_base<'c>(&self, chain: &'c Chain) -> Option<&'c ConfigFile> {
        chain.files()[1..].iter().find(|file| self.trusted_folder(&file.place).is_some_and(|folder| folder.is_denied()))
    }

    /// Allows the files that apply to a directory, with their content and order, and removes a denial of the nearest
    /// one. The other files aren't allowed on their own.
    pub fn allow(&self, chain: &Chain) -> Result<(), FileError> {
        let place = &chain.nearest().place;
        let folder = self.folder(place);
        self.make_ours(&folder)?;
        // The names of the other records are digests, from which no path can be listed. Without this one, the file is
        // allowed, but not listed for other copies of it.
        let _ = files::write_private(&self.path_record(place), place.as_os_str().as_encoded_bytes());
        let (name, record) = chain::record(chain.files(), chain.is_open());
        files::write_private(&folder.join(name), &record)?;
        files::remove(&folder.join(DENIED))
    }

    /// Denies a path regardless of its content, and removes its approvals.
    pub fn deny(&self, path: &Path) -> Result<(), FileError> {
        let folder = self.folder(&place(path));
        self.make_ours(&folder)?;
        files::write_private(&folder.join(DENIED), path.as_os_str().as_encoded_bytes())?;
        for entry in fs::read_dir(&folder).map_err(|e| FileError::new("read", &folder, e))?.flatten() {
            // A temporary file may belong to another process that is recording a decision.
            if entry.file_name() != DENIED && !files::is_unfinished(&entry) {
                files::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns the directories of the files that the user allowed at some time and that still exist, sorted.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        let existing = self.places().into_iter().filter(|place| place.symlink_metadata().is_ok());
        let dirs = existing.filter_map(|place| Some(place.parent()?.to_owned()));
        dirs.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the paths of the files that the user allowed at some time, sorted.
    pub(super) fn places(&self) -> BTreeSet<PathBuf> {
        let dir = self.data.join(PLACES);
        if self.untrusted().is_some() || !files::is_own_dir(&dir) {
            return BTreeSet::new();
        }
        let records = fs::read_dir(&dir).into_iter().flatten().flatten().filter(|entry| !files::is_unfinished(entry));
        let places = records.filter_map(|entry| files::read_own(&entry.path(), MAX_RECORD_BYTES).ok());
        places.map(|bytes| PathBuf::from(OsString::from_vec(bytes))).collect()
    }

    /// Returns how the files that apply differ from those that were last allowed in the same directory. Empty if none
    /// were, and if these are also allowed.
    #[must_use]
    pub fn changes(&self, chain: &Chain) -> Vec<FileChange> {
        match self.status(chain) {
            ApprovalStatus::Allowed => Vec::new(),
            _ => self.changes_of(chain.files()),
        }
    }

    pub(super) fn changes_of(&self, files: &[ConfigFile]) -> Vec<FileChange> {
        let place = &files[0].place;
        let newest = self.trusted_folder(place).and_then(|folder| folder.newest());
        let before = newest.and_then(|path| read_record(&path, place));
        before.map(|before| chain::changes(files, &before)).unwrap_or_default()
    }

    /// Returns the decision that was recorded for a path, regardless of the present content.
    pub(super) fn status_of_path(&self, path: &Path) -> ApprovalStatus {
        self.trusted_folder(&place(path)).map_or(ApprovalStatus::Unknown, |folder| folder.status())
    }

    /// Returns whether any decision was recorded for a path, trusted or not.
    pub(super) fn has_records(&self, path: &Path) -> bool {
        fs::read_dir(self.folder(&place(path))).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Returns the directory of a path's records, if no other user can have written to it or replaced it.
    pub(super) fn trusted_folder(&self, place: &Path) -> Option<Folder> {
        let folder = self.folder(place);
        files::are_own_dirs(&[&self.dir, &folder]).then_some(Folder(folder))
    }

    /// Creates the directories and makes them private. Records in other directories would never be trusted.
    fn make_ours(&self, folder: &Path) -> Result<(), FileError> {
        files::private_dir(&self.data)?;
        for dir in [&self.dir, folder] {
            files::private_dir(dir)?;
            if !files::is_own_dir(dir) {
                return Err(FileError::new("enter", dir, io::Error::other("it is a link")));
            }
        }
        Ok(())
    }

    /// Returns the file that contains a path.
    fn path_record(&self, place: &Path) -> PathBuf {
        self.data.join(PLACES).join(sha256(&[place.as_os_str().as_encoded_bytes()]))
    }

    pub(super) fn folder(&self, place: &Path) -> PathBuf {
        self.dir.join(sha256(&[place.as_os_str().as_encoded_bytes()]))
    }
}

/// Reads the record of files that were allowed, of which the nearest one is at `place`.
fn read_record(path: &Path, place: &Path) -> Option<Vec<Recorded>> {
    chain::recorded(place, &files::read_own(path, MAX_RECORD_BYTES).ok()?)
}

/// The records of one path.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn is_denied(&self) -> bool {
        files::is_own(&self.0.join(DENIED))
    }

    /// Returns whether exactly these files were allowed in this order. `open` means that the last one inherits and no
    /// file is above it.
    pub(super) fn allows(&self, files: &[ConfigFile], open: bool) -> bool {
        files::is_own(&self.0.join(chain::record(files, open).0))
    }

    /// Returns the decision that was recorded for content other than the present one.
    pub(super) fn status(&self) -> ApprovalStatus {
        let names: Vec<_> = self.entries().map(|entry| entry.file_name()).collect();
        if names.iter().any(|name| name == DENIED) {
            ApprovalStatus::Denied
        } else if names.is_empty() {
            ApprovalStatus::Unknown
        } else {
            ApprovalStatus::Edited
        }
    }

    /// Returns whether files with these contents, nearest first, were allowed at `place`, which is the folder's path.
    pub(super) fn has_texts(&self, place: &Path, files: &[ConfigFile]) -> bool {
        let same = |before: Vec<Recorded>| before.iter().map(|file| &file.text).eq(files.iter().map(|file| &file.text));
        self.records().any(|entry| read_record(&entry.path(), place).is_some_and(same))
    }

    /// Returns the most recent record.
    fn newest(&self) -> Option<PathBuf> {
        let newest = self.records().max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok())?;
        Some(newest.path())
    }

    fn records(&self) -> impl Iterator<Item = fs::DirEntry> {
        self.entries().filter(|entry| entry.file_name() != DENIED)
    }

    fn entries(&self) -> impl Iterator<Item = fs::DirEntry> {
        let whole = fs::read_dir(&self.0).into_iter().flatten().flatten().filter(|entry| !files::is_unfinished(entry));
        whole.filter(|entry| files::is_own(&entry.path()))
    }
}
