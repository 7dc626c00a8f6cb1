//! Where the key that encrypts the cache can be stored, and the trait of what stores it.

use std::time::Duration;

use serde::Deserialize;

use crate::base::seal::Key;

/// How long a key must at least be kept after it was used: AWS's longest sessions last 36 hours.
pub const MIN_KEY_TTL: Duration = Duration::from_secs(37 * 3600);

/// A place for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyBackend {
    /// The user's keyring in the Linux kernel. It ends when the machine does.
    Keyring,
    /// The user's keychain of macOS.
    Keychain,
    /// A file in the user's runtime directory, if that is private and in memory.
    Runtime,
}

/// The best first.
pub(crate) const PLACES: [KeyBackend; 3] = [KeyBackend::Keyring, KeyBackend::Keychain, KeyBackend::Runtime];

impl KeyBackend {
    /// As a person knows it.
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

/// Which place the user wants.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheKeySetting {
    /// The best that can be used. Without any, nothing is cached: only the user can choose files that aren't encrypted.
    #[default]
    Auto,
    /// That one alone. Without it nothing is cached.
    Keyring,
    /// That one alone. Without it nothing is cached.
    Keychain,
    /// That one alone. Without it nothing is cached.
    Runtime,
    /// Files that aren't encrypted.
    None,
    /// What the user wants can't be read. Nothing is cached, and what was can still be opened wherever its key lies.
    #[serde(skip)]
    Unknown,
}

impl CacheKeySetting {
    pub(crate) fn places(self) -> impl Iterator<Item = KeyBackend> {
        PLACES.into_iter().filter(move |place| match (self, place) {
            (Self::Auto, _) => true,
            (Self::None | Self::Unknown, _) => false,
            (Self::Keyring, place) => *place == KeyBackend::Keyring,
            (Self::Keychain, place) => *place == KeyBackend::Keychain,
            (Self::Runtime, place) => *place == KeyBackend::Runtime,
        })
    }

    /// Whether what was sealed with a key from a place may be used.
    pub(crate) fn may_open(self, place: KeyBackend) -> bool {
        self == Self::Unknown || self.places().any(|one| one == place)
    }

    /// Why no place may be used at all.
    pub(crate) fn refused(self) -> Vec<KeyUnavailable> {
        match self {
            Self::Unknown => {
                vec![KeyUnavailable("config.toml, which may choose the key's place, can't be read".to_owned())]
            }
            _ => Vec::new(),
        }
    }
}

/// Keeps keys. A trait because the system answers.
pub trait CacheKeyBackend {
    /// The key of a name; `None`: there is none yet, or no more.
    fn find(&self, place: KeyBackend, name: &str) -> Result<Option<Key>, KeyUnavailable>;
    /// Keeps a key under a name, for at least [`MIN_KEY_TTL`] if the place lasts so long.
    fn put(&self, place: KeyBackend, name: &str, key: &Key) -> Result<(), KeyUnavailable>;
    /// Keeps the key of a name for another [`MIN_KEY_TTL`], where it would be dropped otherwise.
    fn keep(&self, place: KeyBackend, name: &str);
    /// Forgets the key of a name. One that isn't there is as good as forgotten.
    fn remove(&self, place: KeyBackend, name: &str);
}

/// Why a place can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUnavailable(pub String);

impl KeyUnavailable {
    /// Joins the reasons into one line.
    #[must_use]
    pub fn join(reasons: &[Self]) -> String {
        reasons.iter().map(|why| why.0.as_str()).collect::<Vec<_>>().join("; ")
    }
}
