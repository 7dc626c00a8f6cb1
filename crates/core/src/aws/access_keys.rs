//! Long-lived keys in a store of secrets: what may be known of them without opening it, and who opens it.
//!
//! For each profile a record says that there are keys, which, and where. It holds no secret, so that
//! a plan can be made, and a cached session be found, while the store stays shut. The store itself
//! is asked through [`AccessKeyStores`], by the `awsrole-keys` crate.

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
    /// The desktop's keyring, by D-Bus: GNOME Keyring, KWallet, KeePassXC.
    SecretService,
    /// The Keychain of macOS.
    Keychain,
    /// A file under a passphrase.
    File,
}

impl StoreKind {
    /// The store of a system where the user chose none: what unlocks when one signs in, where there is such a thing.
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
            Self::File => "the file of keys",
        })
    }
}

/// Names a key in a store. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRef {
    /// The profile whose key it is.
    pub profile: String,
    /// `AKIA…`
    pub access_key_id: String,
    /// Where it is.
    pub store: StoreKind,
}

impl KeyRef {
    /// What a person calls it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("the keys of profile {} in {}", self.profile, self.store)
    }
}

/// What is known of a profile's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The profile.
    pub profile: String,
    /// The key in force: the one moment at which a rotation counts is when this is replaced.
    pub access_key_id: String,
    /// Where its secret is.
    pub store: StoreKind,
    /// When it was stored, as RFC 3339.
    pub added: String,
    /// How far a rotation came that isn't over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// How far a rotation came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// A new key was asked for at this time (RFC 3339); whether it came isn't known.
    Asked(String),
    /// This new key is in the store, and isn't in force yet.
    Stored(String),
    /// The new key is in force; this old one is still there.
    Replaced(String),
}

impl Record {
    /// A record of keys that were just stored.
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

    /// Where the key in force is.
    #[must_use]
    pub fn place(&self) -> KeyRef {
        self.place_of(&self.access_key_id)
    }

    /// Where another key of this profile is.
    #[must_use]
    pub fn place_of(&self, access_key_id: &str) -> KeyRef {
        KeyRef { profile: self.profile.clone(), access_key_id: access_key_id.to_owned(), store: self.store }
    }

    /// Where all keys of this profile are: the one in force, last, and before it the one that a rotation left which was
    /// cut short.
    #[must_use]
    pub fn places(&self) -> Vec<KeyRef> {
        let other = match &self.rotation {
            Some(Rotation::Stored(other) | Rotation::Replaced(other)) => Some(self.place_of(other)),
            Some(Rotation::Asked(_)) | None => None,
        };
        other.into_iter().chain([self.place()]).collect()
    }

    /// Reads a profile's record; one that isn't there says that no keys are stored.
    ///
    /// # Errors
    /// A record that can't be read: another identity must not step in for it.
    pub fn load(paths: &Paths, profile: &str) -> Result<Option<Self>, Problem> {
        let path = path(paths, profile);
        let wrong = |why: &dyn fmt::Display| {
            Problem::new(format!("{}: what is stored for profile {profile} can't be read", path.display()))
                .because(why)
                .hint(format!("`awsrole keys add {profile} --replace` stores its keys anew"))
        };
        let bytes = match read_own(&path, 64 * 1024) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|e| wrong(&e))?,
        };
        let record: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(&e))?;
        if record.profile != profile {
            return Err(wrong(&format!("it is of profile {}", record.profile)));
        }
        Ok(Some(record))
    }

    /// All records, by profile; broken ones are left out.
    #[must_use]
    pub fn all(paths: &Paths) -> Vec<Self> {
        let entries = fs::read_dir(paths.data.join("keys")).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
        let bytes = paths.filter_map(|path| read_own(&path, 64 * 1024).ok());
        let mut records: Vec<Self> = bytes.filter_map(|bytes| serde_json::from_slice(&bytes).ok()).collect();
        records.sort_by(|one, other| one.profile.cmp(&other.profile));
        records
    }

    /// Writes the record, whole or not at all, and so that a crash can't bring the one before back: what comes next may
    /// make the key void that stood there.
    pub fn save(&self, paths: &Paths) -> Result<(), FileError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        files::write_durable(&path(paths, &self.profile), &text)
    }

    /// Removes a profile's record.
    pub fn forget(paths: &Paths, profile: &str) -> Result<(), FileError> {
        files::remove(&path(paths, profile))
    }
}

/// Takes the right to change records and stores, until it is dropped or its process ends. Nobody waits for it: what the
/// other one leaves may be no longer what this one was meant for.
///
/// # Errors
/// Another process has it, or its file can't be used.
pub fn lock(paths: &Paths) -> Result<Lock, Problem> {
    let path = paths.data.join("keys/changes.lock");
    lock::acquire(&path, Duration::ZERO).map_err(|error| match error {
        LockError::File(error) => Problem::new("stored keys can't be changed")
            .because(error)
            .hint("make its directory writable for you, and see that the disk isn't full"),
        LockError::Asking(_) | LockError::Busy => {
            Problem::new("another awsrole keys command is at work; nothing was changed")
                .because(format!("it has the lock {}", path.display()))
                .hint("it may be waiting for an answer in another terminal; run this one when it is done")
        }
    })
}

fn path(paths: &Paths, profile: &str) -> PathBuf {
    paths.data.join("keys").join(sha256(&[b"keys", profile.as_bytes()]) + ".json")
}

/// Opens stores. A trait because here the outside answers, and a person may have to.
pub trait AccessKeyStores {
    /// The secret of a key. A person is asked for a passphrase, or the system shows its own dialog, only if `ask`
    /// is set; `begin` is called just before, with what is asked for and where, so that others who wait can be told.
    fn secret(&self, place: &KeyRef, ask: bool, begin: &dyn Fn(&str)) -> Result<Secret, KeyStoreError>;
}

/// Why a store gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStoreError {
    /// It is locked, and nobody did anything that allows a question.
    NotNow,
    /// There is no terminal to ask on, or it is not ours to ask in.
    NoTerminal,
    /// The person didn't want to.
    Cancelled,
    /// The passphrase was another one.
    WrongPassphrase,
    /// The store works, and has no such key.
    Missing,
    /// It can't be used: nobody answers, its file is broken.
    Unusable(Problem),
}

impl KeyStoreError {
    /// Whether the next try may well end otherwise, so that it isn't remembered.
    #[must_use]
    pub fn depends_on_the_person(&self) -> bool {
        matches!(self, Self::NotNow | Self::NoTerminal | Self::Cancelled | Self::WrongPassphrase)
    }

    /// Says it.
    #[must_use]
    pub fn problem(&self, place: &KeyRef) -> Problem {
        let store = place.store;
        let locked = Problem::new(format!("{store} is locked, and profile {} needs its keys", place.profile));
        match self {
            Self::NotNow => locked
                .because("nobody is asked where it would come as a surprise: in a new shell, or from an editor")
                .hint("`awsrole refresh` in the directory asks"),
            Self::NoTerminal => locked
                .because("there is no terminal in the foreground to ask in")
                .hint("`awsrole refresh` in a terminal asks"),
            Self::Cancelled => {
                Problem::new(format!("cancelled: {store} stays locked, and profile {} needs its keys", place.profile))
                    .hint("`awsrole refresh`, or the same command again, asks again")
            }
            Self::WrongPassphrase => Problem::new(format!("that isn't the passphrase of {store}"))
                .hint("`awsrole refresh`, or the same command again, asks again"),
            Self::Missing => {
                Problem::new(format!("{store} has no keys {} of profile {}", place.access_key_id, place.profile))
                    .because("they were removed there by other means than awsrole, or belong to another login")
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
    fn a_record_is_found_by_its_profile_and_a_broken_one_is_told() {
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
        assert!(problem.causes[0].contains("it is of profile a/b"), "{problem}");
        files::write_private(&path(&context.paths, "other"), b"{").unwrap();
        assert!(Record::load(&context.paths, "other").is_err());
        Record::forget(&context.paths, &place.profile).unwrap();
        assert_eq!(Record::load(&context.paths, &place.profile), Ok(None));
    }

    #[test]
    fn one_at_a_time_changes_what_is_stored() {
        let (_home, context) = home("", "");
        let first = lock(&context.paths).unwrap();
        let problem = lock(&context.paths).err().unwrap();
        assert!(problem.summary.contains("another awsrole keys command is at work"), "{problem}");
        drop(first);
        assert!(lock(&context.paths).is_ok());
    }
}
