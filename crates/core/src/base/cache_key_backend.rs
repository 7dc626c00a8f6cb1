//! The backends that can store the cache encryption key, and the trait that accesses them.

use std::time::Duration;

use serde::Deserialize;

use crate::base::seal::Key;

/// The minimum time that a key is kept after its last use: AWS sessions last up to 36 hours.
pub const MIN_KEY_TTL: Duration = Duration::from_secs(37 * 3600);

/// A backend that can store the cache encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyBackend {
    /// The user's keyring in the Linux kernel. It is lost at a reboot.
    Keyring,
    /// The macOS Keychain.
    Keychain,
    /// A file in the user's runtime directory, if that directory is private and in memory.
    Runtime,
}

/// All backends, in order of preference.
pub(crate) const BACKENDS: [KeyBackend; 3] = [KeyBackend::Keyring, KeyBackend::Keychain, KeyBackend::Runtime];

impl KeyBackend {
    /// Returns the backend's name for messages.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Keyring => "the kernel's keyring",
            Self::Keychain => "the keychain",
            Self::Runtime => "the runtime directory",
        }
    }

    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Keyring => b'k',
            Self::Keychain => b'c',
            Self::Runtime => b'r',
        }
    }
}

/// The setting `key` of `[cache]` in config.toml.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheKeySetting {
    /// Uses the first available backend. If none is available, nothing is cached, because only the user can choose
    /// unencrypted files.
    #[default]
    Auto,
    /// Uses only the kernel keyring. If it is unavailable, nothing is cached.
    Keyring,
    /// Uses only the Keychain. If it is unavailable, nothing is cached.
    Keychain,
    /// Uses only the runtime directory. If it is unavailable, nothing is cached.
    Runtime,
    /// Stores sessions unencrypted.
    None,
    /// The settings can't be read. Nothing is cached, but existing entries can still be decrypted with a key from any
    /// backend.
    #[serde(skip)]
    Unknown,
}

impl CacheKeySetting {
    pub(crate) fn backends(self) -> impl Iterator<Item = KeyBackend> {
        BACKENDS.into_iter().filter(move |place| match (self, place) {
            (Self::Auto, _) => true,
            (Self::None | Self::Unknown, _) => false,
            (Self::Keyring, place) => *place == KeyBackend::Keyring,
            (Self::Keychain, place) => *place == KeyBackend::Keychain,
            (Self::Runtime, place) => *place == KeyBackend::Runtime,
        })
    }

    /// Returns whether entries that were sealed with a key from this backend may be opened.
    pub(crate) fn may_open(self, place: KeyBackend) -> bool {
        self == Self::Unknown || self.backends().any(|one| one == place)
    }

    /// Returns why no backend may be used. Empty if at least one may be used.
    pub(crate) fn refused(self) -> Vec<KeyUnavailable> {
        match self {
            Self::Unknown => {
                vec![KeyUnavailable("cannot read config.toml, which may select the key's backend".to_owned())]
            }
            _ => Vec::new(),
        }
    }
}

/// Stores cache encryption keys. It is a trait because it performs I/O.
pub trait CacheKeyBackend {
    /// Returns the key with this name, or `None` if it doesn't exist or has expired.
    fn find(&self, place: KeyBackend, name: &str) -> Result<Option<Key>, KeyUnavailable>;
    /// Stores a key under a name for at least [`MIN_KEY_TTL`], unless the backend itself is cleared earlier.
    fn put(&self, place: KeyBackend, name: &str, key: &Key) -> Result<(), KeyUnavailable>;
    /// Extends the lifetime of a key by another [`MIN_KEY_TTL`] if the backend expires keys.
    fn keep(&self, place: KeyBackend, name: &str);
    /// Removes the key with this name, if it exists.
    fn remove(&self, place: KeyBackend, name: &str);
}

/// The reason why a backend can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUnavailable(pub String);

impl KeyUnavailable {
    /// Joins the reasons into one line.
    #[must_use]
    pub fn join(reasons: &[Self]) -> String {
        reasons.iter().map(|why| why.0.as_str()).collect::<Vec<_>>().join("; ")
    }
}
