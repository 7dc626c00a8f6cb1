//! Temporary credentials and failures, kept between commands.
//!
//! One file for each result, named by a hash over everything that decides who one becomes
//! ([`RolePlan::cache_key`](crate::plan::RolePlan::cache_key)); no index that could go stale.
//! Credentials are sealed with a key that isn't on the disk ([`crate::vault`]). A broken entry is a
//! miss, never an error.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::credentials::{Credentials, time};
use crate::digest::sha256;
use crate::files::{self, FileError, read_own};
use crate::limits::MfaSerial;
use crate::lock::{self, Lock, LockError};
use crate::mfa::Device;
use crate::problem::Problem;
use crate::secret::Secret;
use crate::vault::{Vault, Wanted};

/// The largest entry that is read, in bytes. STS sets no limit on a token's length; real ones have
/// about a thousand characters.
const MAX_BYTES: u64 = 64 * 1024;

/// What entries are called after.
const SESSION: &str = "session";

/// How long an entry may take to be written: what is older was left by a process that was killed.
const UNFINISHED_FOR: Duration = Duration::from_secs(600);

/// The entries of one user.
pub struct Cache {
    dir: PathBuf,
    vault: Vault,
}

/// An entry: credentials, and whether the user asked for new ones.
pub struct Entry {
    /// The credentials.
    pub credentials: Credentials,
    /// Set by `awsrole refresh`: good as long as nothing newer can be had.
    pub stale: bool,
    /// They are a session of a user, from GetSessionToken, whose answer doesn't say of which.
    pub of_user: bool,
}

impl Entry {
    /// Whether new credentials should be fetched.
    #[must_use]
    pub fn is_due(&self, now: SystemTime) -> bool {
        self.stale || self.credentials.renew_at().is_some_and(|renewal| now >= renewal)
    }
}

/// A failure, remembered so that STS isn't asked again at every prompt.
#[derive(Serialize, Deserialize)]
pub struct Failure {
    version: u32,
    at: u64,
    kind: FailureKind,
    /// What was said.
    pub problem: Problem,
}

impl Failure {
    /// Whether the user logged out after a time.
    #[must_use]
    pub fn is_logout_since(&self, time: SystemTime) -> bool {
        self.kind == FailureKind::LoggedOut && self.at > seconds(time)
    }
}

/// How long a failure is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The network or the server: half a minute.
    Transient,
    /// STS said no, and will until somebody changes a policy: five minutes.
    Refused,
    /// The user logged out: until the user acts.
    LoggedOut,
}

/// Whether a person just asked, or a prompt came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Someone typed `cd` or a command: only a failure of the last seconds, such as that of a
    /// terminal that asked at the same moment, is taken as the answer.
    Asked,
    /// Nobody did: what is remembered stands.
    Passing,
}

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    version: u32,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    issued: u64,
    expiration: u64,
    arn: Option<&'a str>,
    stale: bool,
    #[serde(default)]
    of_user: bool,
}

impl Cache {
    /// The user's cache.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        Self::in_dir(&context.paths.cache, Vault::of(context))
    }

    /// The user's cache, sealed with a key from where a config that was read already wants it.
    #[must_use]
    pub fn sealed(context: &Context, wanted: Wanted) -> Self {
        let dir = &context.paths.cache;
        Self::in_dir(dir, Vault::new(dir, context.keys.clone(), wanted))
    }

    /// The cache in a directory that only its owner may enter, sealed by its vault.
    #[must_use]
    pub fn in_dir(dir: &Path, vault: Vault) -> Self {
        Self { dir: dir.to_owned(), vault }
    }

    /// Looks an entry up. Expired ones count as missing.
    #[must_use]
    pub fn load(&self, key: &str, now: SystemTime) -> Option<Entry> {
        let (path, name) = self.session(key);
        let bytes = self.vault.open(&name, Zeroizing::new(read_own(&path, MAX_BYTES).ok()?))?;
        let written: Written<'_> = serde_json::from_slice(&bytes).ok()?;
        let credentials = Credentials {
            access_key_id: written.access_key_id.to_owned(),
            secret_access_key: Secret::new(written.secret_access_key),
            session_token: Some(Secret::new(written.session_token)),
            issued: time(written.issued)?,
            expiration: Some(time(written.expiration)?),
            arn: written.arn.map(str::to_owned),
        };
        let whole = !(written.access_key_id.is_empty() || written.secret_access_key.is_empty());
        let ours = written.version == 1 && whole && !written.session_token.is_empty();
        (ours && credentials.remaining(now) > Duration::ZERO).then_some(Entry {
            credentials,
            stale: written.stale,
            of_user: written.of_user,
        })
    }

    /// Stores credentials; a remembered failure is forgotten. Credentials without an expiration or
    /// a token aren't stored. `of_user` says that they came from GetSessionToken.
    pub fn store(&self, key: &str, credentials: &Credentials, of_user: bool) -> Result<(), FileError> {
        self.write(key, credentials, false, of_user)?;
        files::sweep(&self.dir, credentials.issued.checked_sub(UNFINISHED_FOR).unwrap_or(UNIX_EPOCH));
        files::remove(&self.path(key, "failure"))
    }

    /// Marks an entry, so that the next command fetches a new one, and forgets a failure. The old
    /// one stays good while nothing newer can be had.
    pub fn mark_stale(&self, key: &str, now: SystemTime) -> Result<(), FileError> {
        files::remove(&self.path(key, "failure"))?;
        match self.load(key, now) {
            Some(entry) => self.write(key, &entry.credentials, true, entry.of_user),
            None => Ok(()),
        }
    }

    /// Removes an entry and remembers that the user wanted it so.
    pub fn log_out(&self, key: &str, now: SystemTime) -> Result<(), FileError> {
        files::remove(&self.session(key).0)?;
        let problem = Problem::new("logged out: no role here")
            .hint("`awsrole refresh` gets it again, and so does coming back to the directory");
        self.remember(key, now, FailureKind::LoggedOut, &problem)
    }

    /// Logs out of the entries that are meant. Returns how many there were.
    pub fn log_out_where(&self, now: SystemTime, meant: impl Fn(&Entry) -> bool) -> Result<usize, FileError> {
        let mut count = 0;
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let (Some(key), Some(SESSION)) = (path.file_stem(), path.extension().and_then(|e| e.to_str())) else {
                continue;
            };
            let key = key.to_string_lossy();
            if self.load(&key, now).is_some_and(|entry| meant(&entry)) {
                self.log_out(&key, now)?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Logs out of every entry, and forgets the key that they were sealed with: whatever copies of
    /// them are left can't be opened any more. Returns how many there were.
    pub fn log_out_of_all(&self, now: SystemTime) -> Result<usize, FileError> {
        let mut count = 0;
        if self.dir.is_dir() {
            self.vault.forget()?;
        }
        files::sweep(&self.dir, now);
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if let (Some(key), Some(SESSION)) = (path.file_stem(), path.extension().and_then(|e| e.to_str())) {
                self.log_out(&key.to_string_lossy(), now)?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Remembers a failure.
    pub fn remember(&self, key: &str, now: SystemTime, kind: FailureKind, problem: &Problem) -> Result<(), FileError> {
        let failure = Failure { version: 1, at: seconds(now), kind, problem: problem.clone() };
        let bytes = serde_json::to_vec(&failure).unwrap_or_default();
        files::write_private(&self.path(key, "failure"), &bytes)
    }

    /// The failure that stands for another try.
    #[must_use]
    pub fn failure(&self, key: &str, now: SystemTime, patience: Patience) -> Option<Failure> {
        let bytes = read_own(&self.path(key, "failure"), MAX_BYTES).ok()?;
        let failure: Failure = serde_json::from_slice(&bytes).ok()?;
        // A process that started just before another one failed sees a failure from its future; one
        // from far beyond it is a clock that was off.
        let age = seconds(now).saturating_sub(failure.at);
        if failure.at > seconds(now) + 60 {
            return None;
        }
        let believed = match (patience, failure.kind) {
            (Patience::Asked, FailureKind::LoggedOut) => 0,
            (Patience::Asked, _) => 5,
            (Patience::Passing, FailureKind::Transient) => 30,
            (Patience::Passing, FailureKind::Refused) => 300,
            (Patience::Passing, FailureKind::LoggedOut) => u64::MAX,
        };
        (failure.version == 1 && age < believed).then_some(failure)
    }

    /// What is known of an MFA device on this machine.
    #[must_use]
    pub fn device(&self, serial: &MfaSerial) -> Device {
        let bytes = read_own(&self.device_path(serial), MAX_BYTES).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Remembers that a device's code was used.
    pub fn used(&self, serial: &MfaSerial, step: Option<u64>) -> Result<(), FileError> {
        let bytes = serde_json::to_vec(&Device { used_step: step }).unwrap_or_default();
        files::write_private(&self.device_path(serial), &bytes)
    }

    /// Whether there ever was such an entry, be it expired.
    #[must_use]
    pub fn had(&self, key: &str) -> bool {
        self.session(key).0.exists()
    }

    /// Takes the right to ask for an entry, waiting at most `patience` for the one who has it, and
    /// not at all for one who waits for a person. A kernel lock: it ends with its process.
    pub fn lock(&self, key: &str, patience: Duration) -> Result<Lock, LockError> {
        lock::take(&self.path(key, "lock"), patience)
    }

    fn device_path(&self, serial: &MfaSerial) -> PathBuf {
        self.path(&sha256(&[serial.as_str().as_bytes()]), "mfa")
    }

    fn write(&self, key: &str, credentials: &Credentials, stale: bool, of_user: bool) -> Result<(), FileError> {
        let (Some(token), Some(expiration)) = (&credentials.session_token, credentials.expiration) else {
            return Ok(());
        };
        let written = Written {
            version: 1,
            access_key_id: &credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.expose(),
            session_token: token.expose(),
            issued: seconds(credentials.issued),
            expiration: seconds(expiration),
            arn: credentials.arn.as_deref(),
            stale,
            of_user,
        };
        let bytes = Zeroizing::new(serde_json::to_vec(&written).unwrap_or_default());
        let (path, name) = self.session(key);
        files::write_private(&path, &self.vault.seal(&name, &bytes)?)
    }

    /// Where an entry lies, and its file's name, by which it is sealed.
    fn session(&self, key: &str) -> (PathBuf, String) {
        let name = format!("{key}.{SESSION}");
        (self.dir.join(&name), name)
    }

    fn path(&self, key: &str, kind: &str) -> PathBuf {
        self.dir.join(format!("{key}.{kind}"))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::credentials::tests::credentials;
    use crate::vault::tests::Shelf;

    fn in_dir(dir: &Path, wanted: Wanted) -> Cache {
        Cache::in_dir(dir, Vault::new(dir, Shelf::new(), wanted))
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_stored_is_found_until_it_expires() {
        let home = tempfile::tempdir().unwrap();
        let cache = in_dir(&home.path().join("cache"), Wanted::Auto);
        cache.store("k", &credentials(at(1000), 900), false).unwrap();
        let entry = cache.load("k", at(1000)).unwrap();
        assert!(entry.credentials == credentials(at(1000), 900));
        assert!(!entry.is_due(at(1719)));
        assert!(entry.is_due(at(1720)));
        assert!(cache.load("k", at(1899)).is_some());
        assert!(cache.load("k", at(1900)).is_none());
        assert_eq!(fs::metadata(home.path().join("cache/k.session")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(home.path().join("cache")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_broken_entry_is_a_miss() {
        let home = tempfile::tempdir().unwrap();
        let cache = in_dir(home.path(), Wanted::Auto);
        let path = home.path().join("k.session");
        cache.store("k", &credentials(at(1000), 900), false).unwrap();
        let whole = fs::read(&path).unwrap();
        for broken in [&b""[..], b"{", b"\xff", &whole[..whole.len() / 2], b"{\"version\":1}"] {
            files::write_private(&path, broken).unwrap();
            assert!(cache.load("k", at(1000)).is_none());
        }
        let cache = in_dir(home.path(), Wanted::None);
        cache.store("k", &credentials(at(1000), 900), false).unwrap();
        let whole = fs::read(&path).unwrap();
        let huge = String::from_utf8(whole).unwrap().replace("1900", "18446744073709551615");
        files::write_private(&path, huge.as_bytes()).unwrap();
        assert!(cache.load("k", at(1000)).is_none(), "a time that can't be is no panic");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(cache.load("k", at(1000)).is_none());
    }

    #[test]
    fn a_failure_stands_for_a_while_and_ends_with_success() {
        let home = tempfile::tempdir().unwrap();
        let cache = in_dir(home.path(), Wanted::Auto);
        let problem = Problem::new("no");
        for (kind, passing) in
            [(FailureKind::Transient, 30), (FailureKind::Refused, 300), (FailureKind::LoggedOut, 1 << 40)]
        {
            cache.remember("k", at(1000), kind, &problem).unwrap();
            assert!(cache.failure("k", at(1000 + passing - 1), Patience::Passing).is_some());
            assert!(
                cache.failure("k", at(1000 + passing), Patience::Passing).is_none() || kind == FailureKind::LoggedOut
            );
            assert!(cache.failure("k", at(1005), Patience::Asked).is_none());
        }
        cache.store("k", &credentials(at(1000), 900), false).unwrap();
        assert!(cache.failure("k", at(1001), Patience::Passing).is_none());
    }

    #[test]
    fn refresh_keeps_the_old_ones_and_logout_does_not() {
        let home = tempfile::tempdir().unwrap();
        let cache = in_dir(home.path(), Wanted::Auto);
        cache.store("k", &credentials(at(1000), 900), false).unwrap();
        cache.mark_stale("k", at(1001)).unwrap();
        assert!(cache.load("k", at(1002)).unwrap().is_due(at(1002)));
        assert_eq!(cache.log_out_of_all(at(1003)).unwrap(), 1);
        assert!(cache.load("k", at(1004)).is_none());
        assert!(cache.failure("k", at(1004), Patience::Passing).is_some());
        assert!(cache.failure("k", at(1004), Patience::Asked).is_none());
    }
}
