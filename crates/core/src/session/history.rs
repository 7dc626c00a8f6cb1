//! The history: one line for each time a role was used, with time, directory and source. It contains no secrets.
//!
//! Any number of processes append lines at the same time, each with a single write: in append mode the kernel doesn't
//! interleave writes. A full file is rotated to the older of two files. Processes that still have it open continue to
//! write into it, so no line is lost.

mod entry;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::base::context::Context;
use crate::base::files::{self, FileError, read_own};
use crate::base::lock;

pub use self::entry::{HistoryEntry, Named, Recipient};

/// The size in bytes at which a file is rotated. Both files together hold some thousand lines.
const MAX_FILE_BYTES: u64 = 512 * 1024;

/// The number of lines among which an entry is searched.
const LAST_LINES: usize = 50;

/// The history of one user.
pub struct History {
    dir: PathBuf,
}

/// Appends a line to the user's history. Write errors are ignored.
pub fn note(entry: Option<&HistoryEntry>, context: &Context) {
    if let Some(entry) = entry {
        let _ = History::in_dir(&context.paths.state).append(entry);
    }
}

/// Appends a line unless the shell's previous entry names this session and this directory.
///
/// A shell whose user entered an MFA code decides again at its next prompt, because awsrole notifies all shells that
/// wait for the code.
pub fn note_once(entry: Option<&HistoryEntry>, context: &Context) {
    let Some(entry) = entry else { return };
    let previous = History::in_dir(&context.paths.state).previous(entry.shell);
    if !previous.is_some_and(|previous| entry.is_same_entry(&previous)) {
        note(Some(entry), context);
    }
}

impl History {
    /// Returns the newest entry of a shell among the last ones.
    fn previous(&self, shell: Option<u32>) -> Option<HistoryEntry> {
        self.find_lately(|entry| shell.is_some() && entry.shell == shell)
    }

    /// Returns whether one of the last entries has this access key ID.
    pub(crate) fn has_lately(&self, key: &str) -> bool {
        self.find_lately(|entry| entry.key == key).is_some()
    }

    /// Returns the newest such entry among the last ones.
    fn find_lately(&self, is_meant: impl Fn(&HistoryEntry) -> bool) -> Option<HistoryEntry> {
        let bytes = read_own(&self.path(), 2 * MAX_FILE_BYTES).unwrap_or_default();
        let lines = bytes.rsplit(|byte| *byte == b'\n').take(LAST_LINES);
        let mut entries = lines.filter_map(|line| serde_json::from_slice::<HistoryEntry>(line).ok());
        entries.find(is_meant)
    }

    /// Returns the history in awsrole's state directory.
    #[must_use]
    pub fn in_dir(state: &Path) -> Self {
        Self { dir: state.to_owned() }
    }

    /// Appends a line.
    pub fn append(&self, entry: &HistoryEntry) -> Result<(), FileError> {
        let line = entry.line();
        // A second attempt is needed only if the file was rotated twice between opening and writing.
        if !self.write(self.open()?, &line)? {
            self.write(self.open()?, &line)?;
        }
        Ok(())
    }

    /// Writes a line. Returns whether it is in one of the two files.
    fn write(&self, mut file: File, line: &[u8]) -> Result<bool, FileError> {
        let failed = |e| FileError::new("write", &self.path(), e);
        if file.write(line).map_err(failed)? < line.len() {
            return Err(failed(io::ErrorKind::StorageFull.into()));
        }
        let found = file.metadata().map_err(failed)?;
        if found.mode() & 0o077 != 0 && found.is_file() {
            file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
        }
        if found.len() >= MAX_FILE_BYTES {
            self.rotate();
        }
        Ok(found.nlink() > 0)
    }

    /// Returns all entries, the most recent last. Invalid lines are skipped.
    #[must_use]
    pub fn read(&self) -> Vec<HistoryEntry> {
        let mut entries = Vec::new();
        for path in [self.older(), self.path()] {
            // A file can be larger than the limit because of processes that had it open, but never by this much.
            let bytes = read_own(&path, 2 * MAX_FILE_BYTES).unwrap_or_default();
            entries.extend(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()));
        }
        entries
    }

    fn path(&self) -> PathBuf {
        self.dir.join("history")
    }

    fn older(&self) -> PathBuf {
        self.dir.join("history.1")
    }

    fn open(&self) -> Result<File, FileError> {
        let path = self.path();
        // NOFOLLOW rejects symbolic links, and NONBLOCK avoids waiting for the reader of a FIFO.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let open = |create| OpenOptions::new().append(true).create(create).mode(0o600).custom_flags(flags).open(&path);
        let file = match open(false) {
            // The file is created only in a directory of the same user: root with a user's HOME leaves nothing there.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                files::private_dir(&self.dir)?;
                open(true)
            }
            opened => opened,
        };
        let failed = |e| FileError::new("open", &path, e);
        let file = file.map_err(failed)?;
        file.metadata().and_then(|found| files::check_owner(&found)).map_err(failed)?;
        Ok(file)
    }

    /// Rotates the full file. Only one process does it, and only if the file is still full. Otherwise the second of two
    /// processes would replace a full file with an almost empty one.
    fn rotate(&self) {
        let lock = lock::acquire(&self.dir.join("history.lock"), Duration::ZERO);
        if lock.is_ok() && fs::metadata(self.path()).is_ok_and(|found| found.len() >= MAX_FILE_BYTES) {
            // If renaming fails, the file keeps growing and the next writer tries again.
            let _ = fs::rename(self.path(), self.older());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::entry::tests::entry;
    use super::*;

    #[test]
    fn the_same_session_of_a_shell_is_noted_once() {
        let (_home, context) = crate::aws::profiles::tests::home("", "");
        let of = |shell, new, directory: &str| HistoryEntry { shell: Some(shell), new, ..entry(directory) };
        for entry in [of(1, true, "/a"), of(2, false, "/a"), of(1, false, "/a"), of(2, false, "/b"), of(2, true, "/b")]
        {
            note_once(Some(&entry), &context);
        }
        let read = History::in_dir(&context.paths.state).read();
        let read: Vec<_> = read.into_iter().map(|entry| (entry.shell.unwrap(), entry.new, entry.directory)).collect();
        let some = |text: &str| text.to_owned();
        assert_eq!(
            read,
            [(1, true, some("/a")), (2, false, some("/a")), (2, false, some("/b")), (2, true, some("/b"))]
        );
    }

    #[test]
    fn reads_entries_in_order() {
        let home = tempfile::tempdir().unwrap();
        let history = History::in_dir(&home.path().join("new/state"));
        for directory in ["/a", "/b\nc\u{1b}[2J", "/d"] {
            history.append(&entry(directory)).unwrap();
        }
        let read: Vec<String> = history.read().into_iter().map(|entry| entry.directory).collect();
        assert_eq!(read, ["/a", "/b\nc\u{1b}[2J", "/d"]);
        assert_eq!(fs::metadata(history.path()).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn truncated_line_does_not_affect_others() {
        let home = tempfile::tempdir().unwrap();
        let history = History::in_dir(home.path());
        history.append(&entry("/a")).unwrap();
        let bytes = fs::read(history.path()).unwrap();
        let mut file = OpenOptions::new().append(true).open(history.path()).unwrap();
        file.write_all(&bytes[..bytes.len() / 2]).unwrap();
        history.append(&entry("/b")).unwrap();
        file.write_all(b"\n{}\n\x00\xff not json\n\n[]\n{\"at\": \"2030").unwrap();
        history.append(&entry("/c")).unwrap();
        let read: Vec<String> = history.read().into_iter().map(|entry| entry.directory).collect();
        assert_eq!(read, ["/a", "/b", "/c"]);
    }

    #[test]
    fn concurrent_writers_lose_nothing_during_rotation() {
        let home = tempfile::tempdir().unwrap();
        let history = History::in_dir(home.path());
        let filler = entry(&"x".repeat(900));
        while fs::metadata(history.path()).map_or(0, |found| found.len()) < MAX_FILE_BYTES - 20_000 {
            history.append(&filler).unwrap();
        }
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let history = &history;
                scope.spawn(move || {
                    (0..100).for_each(|number| history.append(&entry(&format!("/{writer}/{number}"))).unwrap());
                });
            }
        });
        let read: Vec<String> = history.read().into_iter().map(|entry| entry.directory).collect();
        for writer in 0..8 {
            let mine: Vec<&String> = read.iter().filter(|text| text.starts_with(&format!("/{writer}/"))).collect();
            let all: Vec<String> = (0..100).map(|number| format!("/{writer}/{number}")).collect();
            assert_eq!(mine, all.iter().collect::<Vec<_>>());
        }
        assert!(fs::metadata(history.older()).unwrap().len() >= MAX_FILE_BYTES);
        assert!(fs::metadata(history.path()).unwrap().len() < MAX_FILE_BYTES);
    }

    #[test]
    fn only_one_process_rotates_a_full_file() {
        let home = tempfile::tempdir().unwrap();
        let history = History::in_dir(home.path());
        while fs::metadata(history.path()).map_or(0, |found| found.len()) < MAX_FILE_BYTES - 8192 {
            history.append(&entry(&"x".repeat(900))).unwrap();
        }
        // Slow writers, which opened the file before it was rotated once and twice.
        let (slow, too_slow) = (history.open().unwrap(), history.open().unwrap());
        while history.path().exists() {
            history.append(&entry(&"x".repeat(900))).unwrap();
        }
        history.append(&entry("/new")).unwrap();
        assert!(history.write(slow, &entry("/slow").line()).unwrap());
        history.rotate();
        let read = history.read();
        assert!(read.len() > 400, "{}", read.len());
        assert_eq!(read.last().unwrap().directory, "/new");
        assert!(read.iter().any(|entry| entry.directory == "/slow"));
        fs::rename(history.path(), history.older()).unwrap();
        assert!(!history.write(too_slow, &entry("/too/slow").line()).unwrap(), "it must be written again");
    }

    #[test]
    fn keeps_the_newest_entries_within_the_limit() {
        let home = tempfile::tempdir().unwrap();
        let history = History::in_dir(home.path());
        for number in 0..3000 {
            history.append(&entry(&format!("/{number}/{}", "y".repeat(500)))).unwrap();
        }
        let sizes = [history.path(), history.older()].map(|path| fs::metadata(path).unwrap().len());
        assert!(sizes.iter().all(|size| *size < MAX_FILE_BYTES + 8192), "{sizes:?}");
        let read = history.read();
        assert!(read.last().unwrap().directory.starts_with("/2999/"));
        assert!(read.len() > 600, "{}", read.len());
    }
}
