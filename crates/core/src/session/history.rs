//! The history: one line for each time a role was used, with time, directory and source. It contains no secrets.
//!
//! Any number of processes append lines at the same time, each with a single write: in append mode the kernel doesn't
//! interleave writes. A full file is rotated to the older of two files. Processes that still have it open continue to
//! write into it, so no line is lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::aws::arn::AccountId;
use crate::aws::time::rfc3339;
use crate::base::context::Context;
use crate::base::files::{self, FileError, read_own};
use crate::base::lock;
use crate::plan::role_plan::RolePlan;
use crate::session::lookup::Obtained;
use crate::settings::accounts::Accounts;

/// The size in bytes at which a file is rotated. Both files together hold some thousand lines.
const MAX_FILE_BYTES: u64 = 512 * 1024;

/// The maximum length of a line in bytes, including its newline.
const MAX_LINE_BYTES: usize = 4096;

/// The number of lines among which an entry is searched.
const LAST_LINES: usize = 50;

/// What the role was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    /// A shell: on `cd`, at its first prompt, or after a change.
    Assumed,
    /// A renewal before expiration.
    Renewed,
    /// A command of `awsrole exec`.
    Exec,
    /// A command of `awsrole sudo`.
    Sudo,
    /// The output of `awsrole env`.
    Env,
    /// The console in a browser.
    Console,
    /// An SDK that requested credentials through `credential_process`.
    CredentialProcess,
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The time in RFC 3339, in whole seconds.
    pub at: String,
    /// What the role was used for.
    pub what: Recipient,
    /// Whether the session was fetched. Otherwise it was cached.
    pub new: bool,
    /// The working directory.
    pub directory: String,
    /// The profile that the user selected, instead of the directory's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The role's display name.
    pub role: String,
    /// The role's ARN. `None` for a session of the source itself.
    pub role_arn: Option<String>,
    /// The account, if it is known.
    pub account: Option<String>,
    /// The source of the initial credentials.
    pub source: String,
    /// The access key ID, which CloudTrail records with each call. It isn't a secret.
    pub key: String,
    /// The expiration of the session.
    pub expires: Option<String>,
    /// The process ID of the shell that received it, in entries of shells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<u32>,
    /// The AI agent that received it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// An entry with the user's present name for its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The entry.
    #[serde(flatten)]
    pub entry: HistoryEntry,
    /// The account's name, if it has one.
    pub account_name: Option<String>,
}

/// The history of one user.
pub struct History {
    dir: PathBuf,
}

impl HistoryEntry {
    /// Creates an entry for credentials that were obtained in the context's directory.
    #[must_use]
    pub fn of(what: Recipient, context: &Context, plan: &RolePlan, obtained: &Obtained) -> Self {
        let credentials = &obtained.credentials;
        Self {
            at: rfc3339(context.now),
            what,
            new: obtained.fresh,
            directory: context.dir.to_string_lossy().into_owned(),
            profile: None,
            role: plan.title(),
            role_arn: plan.role_arn().map(ToString::to_string),
            account: credentials.account().or_else(|| plan.account()).map(|account| account.to_string()),
            source: plan.source.to_string(),
            key: credentials.access_key_id.clone(),
            expires: credentials.expiration.map(rfc3339),
            shell: None,
            agent: plan.agent.as_ref().map(|agent| agent.name().to_owned()),
        }
    }

    /// Returns whether a shell received the same session in the same directory before.
    fn is_same_entry(&self, earlier: &Self) -> bool {
        let of = |entry: &Self| (entry.what, entry.directory.clone(), entry.role.clone(), entry.key.clone());
        !self.new && of(self) == of(earlier)
    }

    /// Adds the user's name for the account.
    #[must_use]
    pub fn named(self, accounts: &Accounts) -> Named {
        let id = self.account.as_deref().and_then(|id| AccountId::parse(id).ok());
        Named { account_name: id.and_then(|id| accounts.name(&id).map(str::to_owned)), entry: self }
    }

    /// Returns the line: a newline and JSON. The leading newline separates it from a line that was truncated by a full
    /// disk. The beginning of a text that is too long is cut off.
    fn line(&self) -> Vec<u8> {
        for most in [usize::MAX, 1000, 250, 60] {
            let mut entry = self.clone();
            let texts = [&mut entry.directory, &mut entry.role, &mut entry.source, &mut entry.key];
            for text in texts.into_iter().chain(entry.role_arn.as_mut()).chain(entry.profile.as_mut()) {
                shorten(text, most);
            }
            let line = serde_json::to_string(&entry).unwrap_or_default();
            if line.len() < MAX_LINE_BYTES {
                return format!("\n{line}").into_bytes();
            }
        }
        Vec::new()
    }
}

fn shorten(text: &mut String, most: usize) {
    let count = text.chars().count();
    if count > most {
        *text = std::iter::once('…').chain(text.chars().skip(count - most)).collect();
    }
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
    use super::*;

    fn entry(directory: &str) -> HistoryEntry {
        HistoryEntry {
            at: "2030-01-31T12:00:00Z".into(),
            what: Recipient::Assumed,
            new: true,
            directory: directory.into(),
            profile: None,
            role: "Deploy".into(),
            role_arn: Some("arn:aws:iam::222222222222:role/Deploy".into()),
            account: Some("222222222222".into()),
            source: "profile jump".into(),
            key: "ASIAEXAMPLEEXAMPLE00".into(),
            expires: None,
            shell: None,
            agent: None,
        }
    }

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
    fn limits_the_length_of_lines() {
        for text in ["/deep".repeat(1000), "\u{1b}".repeat(5000), "ü".repeat(3000), "\u{1f600}".repeat(4096)] {
            let mut long = entry(&text);
            (long.source, long.role) = (text.clone(), text.clone());
            let line = long.line();
            assert!((100..=MAX_LINE_BYTES).contains(&line.len()), "{}", line.len());
            let read: HistoryEntry = serde_json::from_slice(&line).unwrap();
            assert!(read.directory.starts_with('…') && text.ends_with(read.directory.trim_start_matches('…')));
        }
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
