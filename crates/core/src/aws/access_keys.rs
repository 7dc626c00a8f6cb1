//! Long-lived access keys in a secret store: their records, and the trait that opens the stores.
//!
//! A record for each profile contains the access key ID and the kind of store. It contains no secret. So a plan can be
//! made and a cached session can be found without unlocking the store. The `awsrole-keys` crate opens stores through
//! [`AccessKeyStores`].

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::aws::time::rfc3339;
use crate::base::context::{Context, Paths};
use crate::base::digest::sha256;
use crate::base::files::{self, FileError, read_own};
use crate::base::lock::{self, Lock, LockError};
use crate::base::problem::Problem;
use crate::base::secret::Secret;

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreKind {
    /// The desktop's keyring through D-Bus: GNOME Keyring, KWallet, KeePassXC.
    SecretService,
    /// The macOS Keychain.
    Keychain,
    /// A file encrypted with a passphrase.
    File,
}

impl StoreKind {
    /// Returns the default store of the system: one that is unlocked by the desktop login, if there is one.
    #[must_use]
    pub fn usual(context: &Context) -> Self {
        let bus = || match (context.env.filled("DBUS_SESSION_BUS_ADDRESS"), context.env.filled("XDG_RUNTIME_DIR")) {
            (Some(_), _) => true,
            (None, Some(dir)) => PathBuf::from(dir).join("bus").exists(),
            (None, None) => false,
        };
        match cfg!(target_os = "macos") {
            true => Self::Keychain,
            false if bus() => Self::SecretService,
            false => Self::File,
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretService => "the Secret Service",
            Self::Keychain => "the Keychain",
            Self::File => "the key file",
        })
    }
}

/// Identifies a key in a store. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRef {
    /// The profile that the key belongs to.
    pub profile: String,
    /// `AKIA…`
    pub access_key_id: String,
    /// The store that holds the secret.
    pub store: StoreKind,
}

impl KeyRef {
    /// Returns the name for messages.
    #[must_use]
    pub fn name(&self) -> String {
        format!("the keys of profile {} in {}", self.profile, self.store)
    }
}

/// The record of a profile's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The profile.
    pub profile: String,
    /// The active key. Replacing it is the point at which a rotation takes effect.
    pub access_key_id: String,
    /// The store that holds the secret.
    pub store: StoreKind,
    /// When it was stored, as RFC 3339.
    pub added: String,
    /// The progress of an unfinished rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// The progress of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// A new key was requested at this time (RFC 3339). It isn't known whether it was created.
    Asked(String),
    /// This new key is in the store but not active yet.
    Stored(String),
    /// The new key is active. This old key still exists.
    Replaced(String),
}

impl Record {
    /// Creates a record of keys that were just stored.
    #[must_use]
    pub fn new(place: &KeyRef, now: SystemTime) -> Self {
        Self {
            profile: place.profile.clone(),
            access_key_id: place.access_key_id.clone(),
            store: place.store,
            added: rfc3339(now),
            rotation: None,
        }
    }

    /// Returns the reference of the active key.
    #[must_use]
    pub fn place(&self) -> KeyRef {
        self.place_of(&self.access_key_id)
    }

    /// Returns the reference of another key of this profile.
    #[must_use]
    pub fn place_of(&self, access_key_id: &str) -> KeyRef {
        KeyRef { profile: self.profile.clone(), access_key_id: access_key_id.to_owned(), store: self.store }
    }

    /// Returns the references of all keys of this profile: the key that an interrupted rotation left, if any, then the
    /// active key.
    #[must_use]
    pub fn places(&self) -> Vec<KeyRef> {
        let other = match &self.rotation {
            Some(Rotation::Stored(other) | Rotation::Replaced(other)) => Some(self.place_of(other)),
            Some(Rotation::Asked(_)) | None => None,
        };
        other.into_iter().chain([self.place()]).collect()
    }

    /// Reads a profile's record. Returns `None` if no keys are stored.
    ///
    /// # Errors
    /// Fails if the record can't be read, so that no other credentials are used instead.
    pub fn load(paths: &Paths, profile: &str) -> Result<Option<Self>, Problem> {
        let path = path(paths, profile);
        let wrong = |why: &dyn fmt::Display| {
            Problem::new(format!("{}: cannot read the record of profile {profile}", path.display()))
                .because(why)
                .hint(format!("`awsrole keys add {profile} --replace` stores its keys again"))
        };
        let bytes = match read_own(&path, 64 * 1024) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|e| wrong(&e))?,
        };
        let record: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(&e))?;
        if record.profile != profile {
            return Err(wrong(&format!("it belongs to profile {}", record.profile)));
        }
        Ok(Some(record))
    }

    /// Returns all valid records, sorted by profile.
    #[must_use]
    pub fn all(paths: &Paths) -> Vec<Self> {
        let entries = fs::read_dir(paths.data.join("keys")).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
        let bytes = paths.filter_map(|path| read_own(&path, 64 * 1024).ok());
        let mut records: Vec<Self> = bytes.filter_map(|bytes| serde_json::from_slice(&bytes).ok()).collect();
        records.sort_by(|one, other| one.profile.cmp(&other.profile));
        records
    }

    /// Writes the record atomically and durably.
    ///
    /// A crash must not bring back the previous record, because the key in it may be deleted next.
    pub fn save(&self, paths: &Paths) -> Result<(), FileError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        files::write_durable(&path(paths, &self.profile), &text)
    }

    /// Removes a profile's record.
    pub fn forget(paths: &Paths, profile: &str) -> Result<(), FileError> {
        files::remove(&path(paths, profile))
    }
}

/// Acquires the lock that protects records and stores. It is released when it is dropped or its process ends.
///
/// It doesn't wait: the other process may change what this command was meant to work on.
///
/// # Errors
/// Fails if another process holds the lock or its file can't be used.
pub fn lock(paths: &Paths) -> Result<Lock, Problem> {
    let path = paths.data.join("keys/changes.lock");
    lock::acquire(&path, Duration::ZERO).map_err(|error| match error {
        LockError::File(error) => Problem::new("cannot change stored keys")
            .because(error)
            .hint("make its directory writable and check that the disk isn't full"),
        LockError::Asking(_) | LockError::Busy => {
            Problem::new("another awsrole keys command is running, so nothing was changed")
                .because(format!("it holds the lock {}", path.display()))
                .hint("it may be prompting in another terminal: run this command when it has finished")
        }
    })
}

fn path(paths: &Paths, profile: &str) -> PathBuf {
    paths.data.join("keys").join(sha256(&[b"keys", profile.as_bytes()]) + ".json")
}

/// Opens secret stores. It is a trait because it performs I/O and may prompt the user.
pub trait AccessKeyStores {
    /// Returns the secret of a key.
    ///
    /// awsrole prompts for a passphrase, or the system shows its own dialog, only if `ask` is set. `begin` is called
    /// just before with a description of the prompt and its terminal, which is shown to waiting processes.
    fn secret(&self, place: &KeyRef, ask: bool, begin: &dyn Fn(&str)) -> Result<Secret, KeyStoreError>;
}

/// The reason why a store returned no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStoreError {
    /// The store is locked, and prompting isn't allowed.
    NotNow,
    /// There is no terminal, or this process isn't in its foreground.
    NoTerminal,
    /// The user cancelled the prompt.
    Cancelled,
    /// The passphrase was wrong.
    WrongPassphrase,
    /// The store works but has no such key.
    Missing,
    /// The store can't be used, for example because its service doesn't respond or its file is damaged.
    Unusable(Problem),
}

impl KeyStoreError {
    /// Returns whether a retry may succeed because of what the user does. Such errors aren't cached.
    #[must_use]
    pub fn depends_on_the_person(&self) -> bool {
        matches!(self, Self::NotNow | Self::NoTerminal | Self::Cancelled | Self::WrongPassphrase)
    }

    /// Converts the error into a [`Problem`].
    #[must_use]
    pub fn problem(&self, place: &KeyRef) -> Problem {
        let store = place.store;
        let locked = Problem::new(format!("{store} is locked, and profile {} needs its keys", place.profile));
        match self {
            Self::NotNow => locked
                .because("awsrole prompts only on `cd` and for commands that you type")
                .hint("run `awsrole refresh` in a terminal to be prompted"),
            Self::NoTerminal => locked
                .because("this process isn't in the foreground of a terminal")
                .hint("run `awsrole refresh` in a terminal to be prompted"),
            Self::Cancelled => {
                Problem::new(format!("cancelled: {store} stays locked, and profile {} needs its keys", place.profile))
                    .hint("run `awsrole refresh` to be prompted again")
            }
            Self::WrongPassphrase => {
                Problem::new(format!("wrong passphrase for {store}")).hint("run `awsrole refresh` to be prompted again")
            }
            Self::Missing => {
                Problem::new(format!("{store} has no keys {} of profile {}", place.access_key_id, place.profile))
                    .because("another program removed them, or they belong to another login")
                    .hint(format!("`awsrole keys add {} --replace` stores keys again", place.profile))
            }
            Self::Unusable(problem) => problem.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::tests::home;

    #[test]
    fn loads_records_by_profile_and_reports_broken_ones() {
        let (_home, context) = home("", "");
        let place = KeyRef { profile: "a/b ../c".into(), access_key_id: "AKIA1".into(), store: StoreKind::File };
        assert_eq!(Record::load(&context.paths, &place.profile), Ok(None));
        let record = Record::new(&place, context.now);
        record.save(&context.paths).unwrap();
        assert_eq!(Record::load(&context.paths, &place.profile), Ok(Some(record.clone())));
        assert_eq!(Record::load(&context.paths, "other"), Ok(None));
        assert_eq!(Record::all(&context.paths), std::slice::from_ref(&record));
        files::write_private(&path(&context.paths, "other"), &serde_json::to_vec(&record).unwrap()).unwrap();
        let problem = Record::load(&context.paths, "other").unwrap_err();
        assert!(problem.causes[0].contains("it belongs to profile a/b"), "{problem}");
        files::write_private(&path(&context.paths, "other"), b"{").unwrap();
        assert!(Record::load(&context.paths, "other").is_err());
        Record::forget(&context.paths, &place.profile).unwrap();
        assert_eq!(Record::load(&context.paths, &place.profile), Ok(None));
    }

    #[test]
    fn lock_is_exclusive() {
        let (_home, context) = home("", "");
        let first = lock(&context.paths).unwrap();
        let problem = lock(&context.paths).err().unwrap();
        assert!(problem.summary.contains("another awsrole keys command is running"), "{problem}");
        drop(first);
        assert!(lock(&context.paths).is_ok());
    }
}
