//! The places outside the disk where the key of the cache may lie, and which of them is used.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::digest::sha256;
use crate::files::FileError;
use crate::lock::{self, Lock, LockError};
use crate::seal::Key;
use crate::user_config::UserConfig;

/// The first byte of what is sealed, for its format. What isn't sealed begins with `{`.
const VERSION: u8 = 2;

/// How long a key must at least be kept after it was used: AWS's longest sessions last 36 hours.
pub const KEPT: Duration = Duration::from_secs(37 * 3600);

/// A place for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The user's keyring in the Linux kernel. It ends when the machine does.
    Keyring,
    /// The user's keychain of macOS.
    Keychain,
    /// A file in the user's runtime directory, if that is private and in memory.
    Runtime,
}

/// The best first.
const PLACES: [Place; 3] = [Place::Keyring, Place::Keychain, Place::Runtime];

impl Place {
    /// As a person knows it.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Keyring => "the kernel's keyring",
            Self::Keychain => "the keychain",
            Self::Runtime => "the runtime directory",
        }
    }

    fn byte(self) -> u8 {
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
pub enum Wanted {
    /// The best there is; files that aren't encrypted if there is none.
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

impl Wanted {
    fn places(self) -> impl Iterator<Item = Place> {
        PLACES.into_iter().filter(move |place| match (self, place) {
            (Self::Auto, _) => true,
            (Self::None | Self::Unknown, _) => false,
            (Self::Keyring, place) => *place == Place::Keyring,
            (Self::Keychain, place) => *place == Place::Keychain,
            (Self::Runtime, place) => *place == Place::Runtime,
        })
    }

    /// The place that a byte stands for, if what was sealed with a key from there may be used.
    fn place_of(self, byte: u8) -> Option<Place> {
        let place = PLACES.into_iter().find(|place| place.byte() == byte)?;
        (self == Self::Unknown || self.places().any(|one| one == place)).then_some(place)
    }

    /// Why no place may be used at all.
    fn refused(self) -> Vec<Unavailable> {
        match self {
            Self::Unknown => {
                vec![Unavailable("config.toml, which may choose the key's place, can't be read".to_owned())]
            }
            _ => Vec::new(),
        }
    }
}

/// Keeps keys. A trait because the system answers.
pub trait KeyStore {
    /// The key of a name; `None`: there is none yet, or no more.
    fn find(&self, place: Place, name: &str) -> Result<Option<Key>, Unavailable>;
    /// Keeps a key under a name, for at least [`KEPT`] if the place lasts so long.
    fn put(&self, place: Place, name: &str, key: &Key) -> Result<(), Unavailable>;
    /// Keeps the key of a name for another [`KEPT`], where it would be dropped otherwise.
    fn keep(&self, place: Place, name: &str);
    /// Forgets the key of a name. One that isn't there is as good as forgotten.
    fn remove(&self, place: Place, name: &str);
}

/// Why a place can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable(pub String);

/// Seals and opens what lies in one directory, with a key that lies elsewhere.
pub struct Vault {
    dir: PathBuf,
    keys: Rc<dyn KeyStore>,
    wanted: Wanted,
}

/// How a directory's content is protected.
#[derive(Debug, PartialEq, Eq)]
pub enum Protection {
    /// Encrypted; the key lies there.
    Encrypted(Place),
    /// Not encrypted: the user wants it so, or no place can be used, for these reasons.
    Plain(Vec<Unavailable>),
    /// Nothing is written: the place that the user wants can't be used.
    Nothing(Vec<Unavailable>),
}

impl Vault {
    /// A vault for a directory.
    #[must_use]
    pub fn new(dir: &Path, keys: Rc<dyn KeyStore>, wanted: Wanted) -> Self {
        Self { dir: dir.to_owned(), keys, wanted }
    }

    /// The vault of the cache, as the user wants it.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        // A config that can't be read is complained of elsewhere, and nothing is protected less.
        let wanted = UserConfig::load(context).map_or(Wanted::Unknown, |config| config.key);
        Self::new(&context.paths.cache, context.keys.clone(), wanted)
    }

    /// Seals the content of the file `name`: a byte for the format, one for the key's place, then
    /// what [`Key::seal`] makes. Beside it stand these bytes and the name, so that neither can be
    /// exchanged.
    ///
    /// # Errors
    /// The place that the user wants can't be used, or another process holds the directory's lock.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let failed = |why: &str| FileError::new("encrypting", &self.dir.join(name), std::io::Error::other(why));
        let mut missing = self.wanted.refused();
        let Some((place, key)) = self.key_to_seal_with(&mut missing)? else {
            let words: Vec<_> = missing.into_iter().map(|why| why.0).collect();
            return match self.wanted {
                Wanted::Auto | Wanted::None => Ok(Zeroizing::new(plain.to_vec())),
                _ => Err(failed(&words.join(", "))),
            };
        };
        let header = [VERSION, place.byte()];
        let sealed = key.seal(plain, &beside(header, name)).ok_or_else(|| failed("there are no random numbers"))?;
        Ok(Zeroizing::new([&header[..], &sealed].concat()))
    }

    /// Opens the content of the file `name`. `None`: it was sealed with another key, for another
    /// name, changed, or isn't as the user wants it.
    #[must_use]
    pub fn open(&self, name: &str, content: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        match content.as_slice() {
            [b'{', ..] => match self.wanted {
                Wanted::None => Some(content),
                // Only where nothing better can be had.
                Wanted::Auto => {
                    self.key_to_seal_with(&mut Vec::new()).is_ok_and(|key| key.is_none()).then_some(content)
                }
                _ => None,
            },
            [VERSION, place, sealed @ ..] => {
                let place = self.wanted.place_of(*place)?;
                let key = self.keys.find(place, &self.name()).ok()??;
                key.open(sealed, &beside([VERSION, place.byte()], name))
            }
            _ => None,
        }
    }

    /// Forgets the key, wherever it lies: what was sealed with it can't be opened any more.
    pub fn forget(&self) -> Result<(), FileError> {
        let _lock = self.lock()?;
        for place in PLACES {
            self.keys.remove(place, &self.name());
        }
        Ok(())
    }

    /// How the content is protected. Nothing is made to find it out.
    #[must_use]
    pub fn protection(&self) -> Protection {
        let mut missing = self.wanted.refused();
        for place in self.wanted.places() {
            match self.keys.find(place, &self.name()) {
                Ok(_) => return Protection::Encrypted(place),
                Err(why) => missing.push(why),
            }
        }
        match self.wanted {
            Wanted::Auto | Wanted::None => Protection::Plain(missing),
            _ => Protection::Nothing(missing),
        }
    }

    /// The best place's key, made if there is none; `None`: there is no place.
    fn key_to_seal_with(&self, missing: &mut Vec<Unavailable>) -> Result<Option<(Place, Key)>, FileError> {
        for place in self.wanted.places() {
            match self.find_or_make(place) {
                Ok(key) => return Ok(Some((place, key))),
                Err(NoKey::Unavailable(why)) => missing.push(why),
                Err(NoKey::File(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    fn find_or_make(&self, place: Place) -> Result<Key, NoKey> {
        let name = self.name();
        if let Some(key) = self.keys.find(place, &name)? {
            self.keys.keep(place, &name);
            return Ok(key);
        }
        // Any number of processes that begin at once must end with one key.
        let _lock = self.lock().map_err(NoKey::File)?;
        // The lock has made the directory, which may lie behind a link.
        let name = self.name();
        if let Some(key) = self.keys.find(place, &name)? {
            return Ok(key);
        }
        let key = Key::random().ok_or_else(|| Unavailable("there are no random numbers".to_owned()))?;
        self.keys.put(place, &name, &key)?;
        Ok(key)
    }

    fn lock(&self) -> Result<Lock, FileError> {
        let path = self.dir.join("key.lock");
        lock::take(&path, Duration::from_secs(5)).map_err(|error| match error {
            LockError::File(error) => error,
            _ => FileError::new("locking", &path, std::io::ErrorKind::WouldBlock.into()),
        })
    }

    /// The key's name: each directory has a key of its own, however it is spelled.
    fn name(&self) -> String {
        let dir = self.dir.canonicalize().unwrap_or_else(|_| self.dir.clone());
        format!("awsrole:{}", &sha256(&[dir.as_os_str().as_encoded_bytes()])[..32])
    }
}

enum NoKey {
    Unavailable(Unavailable),
    File(FileError),
}

impl From<Unavailable> for NoKey {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

fn beside(header: [u8; 2], name: &str) -> Vec<u8> {
    [&header, name.as_bytes()].concat()
}

#[cfg(test)]
pub(crate) mod tests;
