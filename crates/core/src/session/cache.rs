//! The cache of temporary credentials and failures.
//!
//! Each result has a file, named by a digest of everything that determines the identity ([`PlanKeys`]). Credentials are
//! encrypted with a key that isn't on the disk ([`crate::session::encryption`]). The ID of that key is part of the
//! file's name, so machines that share a home directory don't overwrite each other's sessions. A damaged entry is a
//! miss, never an error.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::aws::credentials::Credentials;
use crate::aws::mfa::Device;
use crate::aws::parameters::MfaSerial;
use crate::aws::source::may_be_key_id;
use crate::aws::time::from_unix;
use crate::base::cache_key_backend::{CacheKeySetting, KeyUnavailable, MIN_KEY_TTL};
use crate::base::context::Context;
use crate::base::digest::{is_sha256, sha256};
use crate::base::files::{self, FileError, read_own};
use crate::base::lock::{self, Lock, LockError};
use crate::base::problem::Problem;
use crate::base::secret::Secret;
use crate::plan::role_plan::RolePlan;
use crate::session::encryption::{CacheEncryption, Protection, SealError};
use failures::{FAILURE, is_logout};

pub use failures::{Failure, FailureKind, Trigger};
pub use plan_keys::PlanKeys;

/// The largest entry that is read, in bytes. STS doesn't limit the length of session tokens. Actual tokens have about a
/// thousand characters.
const MAX_BYTES: u64 = 64 * 1024;

/// The file-name extension of sessions.
const SESSION: &str = "session";

/// The file-name extension of [`SourceIds`].
const SOURCE: &str = "source";

/// The age at which a temporary file was left by a killed process.
const TEMP_FILE_MAX_AGE: Duration = Duration::from_secs(600);

/// The interval at which a cache directory is searched for unusable files.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// The cache of one user.
pub struct Cache {
    dir: PathBuf,
    encryption: CacheEncryption,
}

/// A cached session.
pub struct Entry {
    /// The credentials.
    pub credentials: Credentials,
    /// Set by `awsrole refresh`. The entry is used only if new credentials can't be fetched.
    pub stale: bool,
    /// The session is from GetSessionToken, whose response doesn't name the user.
    pub of_user: bool,
}

impl Entry {
    /// Returns whether new credentials should be fetched.
    #[must_use]
    pub fn is_due(&self, now: SystemTime) -> bool {
        self.stale || self.credentials.renew_at().is_some_and(|renewal| now >= renewal)
    }
}

/// The access key IDs that a source returned, for sources that are only identified by their response, such as programs.
/// They contain no secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceIds {
    /// The most recent ID. The names of all later results contain it.
    pub current: Option<String>,
    /// The previous ID. Its results are used while new ones can't be fetched.
    pub previous: Option<String>,
}

/// The result of storing credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// They are cached, or can't be: credentials without an expiration or a session token are never stored.
    Done,
    /// They aren't cached, because no encryption key can be stored.
    NotEncrypted(Vec<KeyUnavailable>),
}

#[derive(Serialize, Deserialize)]
struct StoredEntry<'a> {
    version: u32,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    issued: u64,
    expiration: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size_percent: Option<u8>,
    arn: Option<&'a str>,
    stale: bool,
    #[serde(default)]
    of_user: bool,
}

impl Cache {
    /// Returns the user's cache, encrypted with a key in the configured backend.
    #[must_use]
    pub fn open(context: &Context, wanted: CacheKeySetting) -> Self {
        Self::in_dir(&context.paths.cache, CacheEncryption::of_cache(context, wanted))
    }

    /// Returns a cache in a directory that only its owner may enter.
    #[must_use]
    pub fn in_dir(dir: &Path, encryption: CacheEncryption) -> Self {
        Self { dir: dir.to_owned(), encryption }
    }

    /// Returns whether sessions can be stored: an encryption key can, or the user chose files without encryption.
    #[must_use]
    pub fn can_store(&self) -> bool {
        !matches!(self.encryption.protection(), Protection::Nothing(_))
    }

    /// Returns the cache keys of a plan's results.
    #[must_use]
    pub fn keys<'a>(&self, plan: &'a RolePlan) -> PlanKeys<'a> {
        PlanKeys::of(plan, self)
    }

    /// Returns an entry unless it has expired.
    #[must_use]
    pub fn load(&self, key: &str, now: SystemTime) -> Option<Entry> {
        let bytes = self.read(key)?;
        let written: StoredEntry<'_> = serde_json::from_slice(&bytes).ok()?;
        let credentials = Credentials {
            access_key_id: written.access_key_id.to_owned(),
            secret_access_key: Secret::new(written.secret_access_key),
            session_token: Some(Secret::new(written.session_token)),
            issued: from_unix(written.issued)?,
            expiration: Some(from_unix(written.expiration)?),
            size_percent: written.size_percent,
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

    fn read(&self, key: &str) -> Option<Zeroizing<Vec<u8>>> {
        let name = Self::sealed_name(key);
        if self.encryption.is_plain() {
            let content = read_own(&self.session(key, None), MAX_BYTES).ok()?;
            return self.encryption.open_plain(Zeroizing::new(content));
        }
        self.encryption.keys().find_map(|sealing| {
            let content = Zeroizing::new(read_own(&self.session(key, Some(&sealing.id())), MAX_BYTES).ok()?);
            self.encryption.open_with(&sealing, &name, &content)
        })
    }

    /// Stores credentials and clears a recorded logout.
    ///
    /// Credentials without an expiration or a session token aren't stored. `of_user` means that they are from
    /// GetSessionToken.
    pub fn store(&self, key: &str, credentials: &Credentials, of_user: bool) -> Result<Stored, FileError> {
        let stored = self.write(key, credentials, false, of_user)?;
        self.forget_failure(key)?;
        self.sweep(credentials.issued);
        Ok(stored)
    }

    /// Marks an entry as stale, so that the next command fetches new credentials, and removes a cached failure. The
    /// stale entry remains usable while new credentials can't be fetched.
    pub fn mark_stale(&self, key: &str, now: SystemTime) -> Result<(), FileError> {
        self.forget_failure(key)?;
        if let Some(entry) = self.load(key, now) {
            self.write(key, &entry.credentials, true, entry.of_user)?;
        }
        Ok(())
    }

    /// Removes an entry of all machines and records the logout.
    pub fn log_out(&self, key: &str, now: SystemTime) -> Result<(), FileError> {
        for path in self.sessions().filter(|path| key_of(path).as_deref() == Some(checked(key).as_str())) {
            files::remove(&path)?;
        }
        let problem = Problem::new("logged out of this role: `awsrole refresh` gets it again");
        self.remember(key, now, FailureKind::LoggedOut, &problem)
    }

    /// Logs out of all entries that `meant` selects. Returns their number.
    pub fn log_out_where(&self, now: SystemTime, meant: impl Fn(&Entry) -> bool) -> Result<usize, FileError> {
        let mut count = 0;
        for key in self.sessions().filter_map(|path| key_of(&path)).collect::<BTreeSet<_>>() {
            if self.load(&key, now).is_some_and(|entry| meant(&entry)) {
                self.log_out(&key, now)?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Logs out of all entries and removes their encryption key, so that remaining copies can't be decrypted. Returns
    /// the number of entries.
    pub fn log_out_of_all(&self, now: SystemTime) -> Result<usize, FileError> {
        if self.dir.is_dir() {
            self.encryption.forget()?;
        }
        files::sweep(&self.dir, now);
        let keys: BTreeSet<_> = self.sessions().filter_map(|path| key_of(&path)).collect();
        // Failures concern the sessions that are forgotten, so the next attempt may succeed.
        for path in self.entries(FAILURE).filter(|path| !is_logout(path)) {
            files::remove(&path)?;
        }
        for key in &keys {
            self.log_out(key, now)?;
        }
        Ok(keys.len())
    }

    /// Returns the files of all sessions, including those of other machines and expired ones.
    fn sessions(&self) -> impl Iterator<Item = PathBuf> {
        self.entries(SESSION)
    }

    /// Returns the files with an extension.
    fn entries(&self, kind: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
        let found = fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|entry| entry.path());
        found.filter(move |path| path.extension().is_some_and(|extension| extension == kind))
    }

    /// Returns the access key IDs that a source returned. `key` is the cache key of the source's result
    /// ([`PlanKeys::session`] with no step).
    pub(crate) fn source_ids(&self, key: &str) -> SourceIds {
        let bytes = read_own(&self.path(key, SOURCE), MAX_BYTES).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let mut ids = text.lines().filter(|id| !id.is_empty() && may_be_key_id(id)).map(str::to_owned);
        SourceIds { current: ids.next(), previous: ids.next() }
    }

    /// Records the access key ID that a source returned.
    pub(crate) fn record_source_id(&self, key: &str, id: &str) -> Result<(), FileError> {
        let known = self.source_ids(key);
        if known.current.as_deref() == Some(id) || !may_be_key_id(id) {
            return Ok(());
        }
        let text = format!("{id}\n{}\n", known.current.unwrap_or_default());
        files::write_private(&self.path(key, SOURCE), text.as_bytes())
    }

    /// Returns the recorded state of an MFA device.
    #[must_use]
    pub fn device(&self, serial: &MfaSerial) -> Device {
        let bytes = read_own(&self.device_path(serial), MAX_BYTES).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Records that a device's code for this time step was used.
    pub(crate) fn record_totp_step(&self, serial: &MfaSerial, step: Option<u64>) -> Result<(), FileError> {
        let bytes = serde_json::to_vec(&Device { used_step: step }).unwrap_or_default();
        files::write_private(&self.device_path(serial), &bytes)
    }

    /// Returns whether there ever was such an entry, even if it has expired.
    #[must_use]
    pub fn ever_cached(&self, key: &str) -> bool {
        match self.encryption.is_plain() {
            true => self.session(key, None).exists(),
            false => self.encryption.keys().any(|sealing| self.session(key, Some(&sealing.id())).exists()),
        }
    }

    /// Acquires the advisory lock for fetching an entry.
    ///
    /// Waits at most `timeout` for the process that holds it, and not at all if that process is prompting the user.
    pub fn lock(&self, key: &str, timeout: Duration) -> Result<Lock, LockError> {
        lock::acquire(&self.path(key, "lock"), timeout)
    }

    fn device_path(&self, serial: &MfaSerial) -> PathBuf {
        self.path(&sha256(&[serial.as_str().as_bytes()]), "mfa")
    }

    fn write(&self, key: &str, credentials: &Credentials, stale: bool, of_user: bool) -> Result<Stored, FileError> {
        let (Some(token), Some(expiration)) = (&credentials.session_token, credentials.expiration) else {
            return Ok(Stored::Done);
        };
        let written = StoredEntry {
            version: 1,
            access_key_id: &credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.expose(),
            session_token: token.expose(),
            issued: seconds(credentials.issued),
            expiration: seconds(expiration),
            size_percent: credentials.size_percent,
            arn: credentials.arn.as_deref(),
            stale,
            of_user,
        };
        let bytes = Zeroizing::new(serde_json::to_vec(&written).unwrap_or_default());
        let sealed = match self.encryption.seal(&Self::sealed_name(key), &bytes) {
            Ok(sealed) => sealed,
            Err(SealError::NoKey(reasons)) => return Ok(Stored::NotEncrypted(reasons)),
            Err(SealError::File(error)) => return Err(error),
        };
        files::write_private(&self.session(key, sealed.key_id.as_deref()), &sealed.content)?;
        if sealed.key_id.is_some() {
            // This file is from before the user chose encryption.
            files::remove(&self.session(key, None))?;
        }
        Ok(Stored::Done)
    }

    /// Removes temporary files of killed processes and, once an hour, expired sessions and what belongs to them. A file
    /// that can't be removed only takes up space.
    fn sweep(&self, now: SystemTime) {
        files::sweep(&self.dir, now.checked_sub(TEMP_FILE_MAX_AGE).unwrap_or(UNIX_EPOCH));
        let stamp = self.dir.join("swept");
        let modified = |path: &Path| fs::symlink_metadata(path).and_then(|found| found.modified());
        let age = |path: &Path| modified(path).ok().and_then(|time| now.duration_since(time).ok());
        if stamp.exists() && age(&stamp).is_none_or(|age| age < SWEEP_INTERVAL) {
            return;
        }
        let _ = files::write_private(&stamp, b"");
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if age(&path).is_none_or(|age| age < MIN_KEY_TTL) {
                continue;
            }
            let ended = match path.extension().and_then(|extension| extension.to_str()) {
                Some(SESSION | SOURCE) => true,
                Some(FAILURE) => !is_logout(&path),
                Some("lock") => lock::is_free(&path),
                _ => false,
            };
            if ended {
                let _ = files::remove(&path);
            }
        }
    }

    /// Returns the file of an entry. `sealing` is the ID of its encryption key, or `None` for an unencrypted entry.
    fn session(&self, key: &str, sealing: Option<&str>) -> PathBuf {
        match sealing {
            Some(id) => self.path(key, &format!("{id}.{SESSION}")),
            None => self.path(key, SESSION),
        }
    }

    /// Returns the name that is authenticated with an entry's content.
    fn sealed_name(key: &str) -> String {
        format!("{}.{SESSION}", checked(key))
    }

    fn path(&self, key: &str, kind: &str) -> PathBuf {
        self.dir.join(format!("{}.{kind}", checked(key)))
    }
}

/// Returns a cache key for use in a file name: 64 hexadecimal digits are kept and anything else is replaced by a
/// digest, so that an external key can't name another file.
fn checked(key: &str) -> String {
    if is_sha256(key) { key.to_owned() } else { sha256(&[key.as_bytes()]) }
}

/// Returns the cache key in the name of an entry's file.
fn key_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str()?.split('.').next().map(str::to_owned)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

mod failures;
mod plan_keys;
#[cfg(test)]
mod tests;
