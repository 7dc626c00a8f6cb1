//! Which role was handed out when, where and from which source: a line for each time. It holds no secret.
//!
//! Lines are appended by any number of processes at once, each with one write: on a file opened for appending the
//! kernel lets no other writer in between. When the file is full it becomes the older one of two; whoever had it open
//! still writes into it, so that no line is lost.

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

/// From this size on, in bytes, a file is the older one. Both together hold some thousand lines.
const MAX_FILE_BYTES: u64 = 512 * 1024;

/// The largest line, in bytes with its newline.
const MAX_LINE_BYTES: usize = 4096;

/// To whom a role was handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A shell, on `cd`, at its first prompt, or after something changed.
    Entered,
    /// Nobody yet: a session was renewed ahead of its end.
    Renewed,
    /// A command of `awsrole exec`.
    Exec,
    /// Whoever reads what `awsrole env` prints.
    Env,
    /// The console in a browser.
    Console,
    /// An SDK that asked for a new session by `credential_process`.
    CredentialProcess,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When: RFC 3339, whole seconds.
    pub at: String,
    /// To whom.
    pub what: What,
    /// The session is a new one; otherwise it was in the cache.
    pub new: bool,
    /// The working directory.
    pub directory: String,
    /// What the role is called.
    pub role: String,
    /// Its ARN; none where a session of the source itself is exported.
    pub role_arn: Option<String>,
    /// The account, as far as it is known.
    pub account: Option<String>,
    /// Where the first credentials came from.
    pub source: String,
    /// The access key id, which CloudTrail shows beside each call: it is no secret.
    pub key: String,
    /// When the session ends.
    pub expires: Option<String>,
}

/// An entry, and what the user calls its account today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The entry.
    #[serde(flatten)]
    pub entry: HistoryEntry,
    /// The account's name, where it has one.
    pub account_name: Option<String>,
}

/// The lines of one user.
pub struct History {
    dir: PathBuf,
}

impl HistoryEntry {
    /// What was handed out, at a directory, as it was obtained.
    #[must_use]
    pub fn of(what: What, context: &Context, plan: &RolePlan, obtained: &Obtained) -> Self {
        let credentials = &obtained.credentials;
        Self {
            at: rfc3339(context.now),
            what,
            new: obtained.fresh,
            directory: context.dir.to_string_lossy().into_owned(),
            role: plan.title(),
            role_arn: plan.role_arn().map(ToString::to_string),
            account: credentials.account().or_else(|| plan.account()).map(|account| account.to_string()),
            source: plan.source.to_string(),
            key: credentials.access_key_id.clone(),
            expires: credentials.expiration.map(rfc3339),
        }
    }

    /// Adds the user's name for the account.
    #[must_use]
    pub fn named(self, accounts: &Accounts) -> Named {
        let id = self.account.as_deref().and_then(|id| AccountId::parse(id).ok());
        Named { account_name: id.and_then(|id| accounts.name(&id).map(str::to_owned)), entry: self }
    }

    /// The line: JSON behind a newline, so that one which a full disk cut off spoils no other. What is too long for it
    /// loses its beginning.
    fn line(&self) -> Vec<u8> {
        for most in [usize::MAX, 1000, 250, 60] {
            let mut entry = self.clone();
            let texts = [&mut entry.directory, &mut entry.role, &mut entry.source, &mut entry.key];
            for text in texts.into_iter().chain(entry.role_arn.as_mut()) {
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

/// Adds a line to the user's history. One that can't be written takes no role away from anybody.
pub fn note(entry: Option<&HistoryEntry>, context: &Context) {
    if let Some(entry) = entry {
        let _ = History::in_dir(&context.paths.state).append(entry);
    }
}

impl History {
    /// The history in awsrole's state directory.
    #[must_use]
    pub fn in_dir(state: &Path) -> Self {
        Self { dir: state.to_owned() }
    }

    /// Adds a line.
    pub fn append(&self, entry: &HistoryEntry) -> Result<(), FileError> {
        let line = entry.line();
        // A second time only if the file was full twice between opening and writing.
        if !self.write(self.open()?, &line)? {
            self.write(self.open()?, &line)?;
        }
        Ok(())
    }

    /// Writes a line; says whether it is in one of the two files.
    fn write(&self, mut file: File, line: &[u8]) -> Result<bool, FileError> {
        let failed = |e| FileError::new("writing", &self.path(), e);
        if file.write(line).map_err(failed)? < line.len() {
            return Err(failed(io::ErrorKind::StorageFull.into()));
        }
        let found = file.metadata().map_err(failed)?;
        if found.mode() & 0o077 != 0 && found.is_file() {
            file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
        }
        if found.len() >= MAX_FILE_BYTES {
            self.turn();
        }
        Ok(found.nlink() > 0)
    }

    /// All lines, the newest last. What isn't one is skipped.
    #[must_use]
    pub fn read(&self) -> Vec<HistoryEntry> {
        let mut entries = Vec::new();
        for path in [self.older(), self.path()] {
            // Whoever had it open may have written beyond its size; nobody writes that much.
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
        // Neither a link is followed nor a FIFO's reader waited for.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let open = |create| OpenOptions::new().append(true).create(create).mode(0o600).custom_flags(flags).open(&path);
        let file = match open(false) {
            // Only in a directory of one's own: root with a user's HOME leaves nothing there.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                files::private_dir(&self.dir)?;
                open(true)
            }
            opened => opened,
        };
        let failed = |e| FileError::new("opening", &path, e);
        let file = file.map_err(failed)?;
        file.metadata().and_then(|found| files::check_owner(&found)).map_err(failed)?;
        Ok(file)
    }

    /// Makes the full file the older one. One process does it, and only if it is still full: the second of two would
    /// put an almost empty file in the place of a full one.
    fn turn(&self) {
        let lock = lock::acquire(&self.dir.join("history.lock"), Duration::ZERO);
        if lock.is_ok() && fs::metadata(self.path()).is_ok_and(|found| found.len() >= MAX_FILE_BYTES) {
            // What can't be renamed grows on, and the next writer tries again.
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
            what: What::Entered,
            new: true,
            directory: directory.into(),
            role: "Deploy".into(),
            role_arn: Some("arn:aws:iam::222222222222:role/Deploy".into()),
            account: Some("222222222222".into()),
            source: "profile jump".into(),
            key: "ASIAEXAMPLEEXAMPLE00".into(),
            expires: None,
        }
    }

    #[test]
    fn what_was_written_is_read_in_its_order() {
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
    fn a_line_is_small_whatever_is_in_it() {
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
    fn a_torn_line_spoils_no_other() {
        let home = tempfile::tempdir().unwrap();
        let history = History::in_dir(home.path());
        history.append(&entry("/a")).unwrap();
        let bytes = fs::read(history.path()).unwrap();
        let mut file = OpenOptions::new().append(true).open(history.path()).unwrap();
        file.write_all(&bytes[..bytes.len() / 2]).unwrap();
        history.append(&entry("/b")).unwrap();
        file.write_all(b"\n{}\n\xff\n\n[]").unwrap();
        let read: Vec<String> = history.read().into_iter().map(|entry| entry.directory).collect();
        assert_eq!(read, ["/a", "/b"]);
    }

    #[test]
    fn writers_at_once_lose_nothing_when_the_file_is_full() {
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
    fn of_two_who_find_it_full_one_turns_it() {
        let home = tempfile::tempdir().unwrap();
        let history = History::in_dir(home.path());
        while fs::metadata(history.path()).map_or(0, |found| found.len()) < MAX_FILE_BYTES - 8192 {
            history.append(&entry(&"x".repeat(900))).unwrap();
        }
        // Slow writers, who had it open before it was turned once, and twice.
        let (slow, too_slow) = (history.open().unwrap(), history.open().unwrap());
        while history.path().exists() {
            history.append(&entry(&"x".repeat(900))).unwrap();
        }
        history.append(&entry("/new")).unwrap();
        assert!(history.write(slow, &entry("/slow").line()).unwrap());
        history.turn();
        let read = history.read();
        assert!(read.len() > 400, "{}", read.len());
        assert_eq!(read.last().unwrap().directory, "/new");
        assert!(read.iter().any(|entry| entry.directory == "/slow"));
        fs::rename(history.path(), history.older()).unwrap();
        assert!(!history.write(too_slow, &entry("/too/slow").line()).unwrap(), "it must be written again");
    }

    #[test]
    fn it_is_bounded_and_keeps_the_newest() {
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
