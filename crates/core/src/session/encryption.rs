//! Encrypts the content of a directory with a key from the best available backend.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::base::cache_key_backend::{self, CacheKeyBackend, CacheKeySetting, KeyBackend, KeyUnavailable};
use crate::base::context::Context;
use crate::base::digest::sha256;
use crate::base::files::walk::canonical;
use crate::base::files::{self, FileError};
use crate::base::lock::{self, Lock, LockError};
use crate::base::seal::Key;

/// The first byte of encrypted content, for its format. Unencrypted content begins with `{`.
const VERSION: u8 = 2;

/// The reason why neither a key nor a nonce can be generated.
const NO_RANDOM_NUMBERS: &str = "the system provides no random numbers";

/// An existing encryption key and its backend.
pub struct SealingKey {
    place: KeyBackend,
    key: Key,
}

impl SealingKey {
    /// Returns 16 hexadecimal digits that identify the key without revealing it. They distinguish the files of machines
    /// that share a home directory.
    #[must_use]
    pub fn id(&self) -> String {
        sha256(&[b"awsrole sealing key id\0", self.key.expose()])[..16].to_owned()
    }
}

/// Content in the form in which it is written to a file.
pub struct Sealed {
    /// The [`SealingKey::id`] of the key, or `None` if the user chose unencrypted files.
    pub key_id: Option<String>,
    /// The bytes of the file.
    pub content: Zeroizing<Vec<u8>>,
}

/// The reason why content can't be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No key can be found or stored. Contains the reason for each backend.
    #[error("no encryption key can be stored: {}", KeyUnavailable::join(.0))]
    NoKey(Vec<KeyUnavailable>),
    /// A file of the cache can't be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Encrypts and decrypts the content of one directory with a key that is stored elsewhere.
pub struct CacheEncryption {
    dir: PathBuf,
    keys: Rc<dyn CacheKeyBackend>,
    wanted: CacheKeySetting,
}

/// The protection of a directory's content.
#[derive(Debug, PartialEq, Eq)]
pub enum Protection {
    /// Encrypted with a key in this backend.
    Encrypted(KeyBackend),
    /// Unencrypted, because the user chose so.
    Plain,
    /// Nothing is written because no key can be stored. Contains the reason for each backend.
    Nothing(Vec<KeyUnavailable>),
}

impl CacheEncryption {
    /// Creates the encryption for a directory.
    #[must_use]
    pub fn new(dir: &Path, keys: Rc<dyn CacheKeyBackend>, wanted: CacheKeySetting) -> Self {
        Self { dir: dir.to_owned(), keys, wanted }
    }

    /// Creates the encryption for the cache, with the configured backend.
    #[must_use]
    pub fn of_cache(context: &Context, wanted: CacheKeySetting) -> Self {
        Self::new(&context.paths.cache, context.keys.clone(), wanted)
    }

    /// Encrypts the content of the file `name`.
    ///
    /// The result is a byte for the format, a byte for the backend, and the output of [`Key::seal`]. These two bytes
    /// and the name are the associated data, so that neither can be exchanged.
    ///
    /// # Errors
    /// Fails if no permitted backend can store a key, or if another process holds the directory's lock.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<Sealed, SealError> {
        if self.wanted == CacheKeySetting::None {
            return Ok(Sealed { key_id: None, content: Zeroizing::new(plain.to_vec()) });
        }
        let mut missing = self.wanted.refused();
        let Some(found) = self.key_to_seal_with(&mut missing)? else { return Err(SealError::NoKey(missing)) };
        let header = [VERSION, found.place.byte()];
        let sealed = found.key.seal(plain, &aad(header, name));
        let sealed = sealed.ok_or_else(|| SealError::NoKey(vec![KeyUnavailable(NO_RANDOM_NUMBERS.to_owned())]))?;
        Ok(Sealed { key_id: Some(found.id()), content: Zeroizing::new([&header[..], &sealed].concat()) })
    }

    /// Returns the existing keys in order of preference. No key is created.
    pub fn keys(&self) -> impl Iterator<Item = SealingKey> {
        let name = self.name();
        cache_key_backend::BACKENDS.into_iter().filter(|place| self.wanted.may_open(*place)).filter_map(move |place| {
            let key = self.keys.find(place, &name).ok()??;
            Some(SealingKey { place, key })
        })
    }

    /// Returns whether the user chose unencrypted files.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.wanted == CacheKeySetting::None
    }

    /// Decrypts the content of the file `name`. Returns `None` if it was encrypted with another key or for another
    /// name, was changed, or doesn't match the user's setting.
    #[must_use]
    pub fn open(&self, name: &str, content: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        let [VERSION, place, ..] = *content.as_slice() else {
            return self.open_plain(content);
        };
        self.keys().filter(|key| key.place.byte() == place).find_map(|key| self.open_with(&key, name, &content))
    }

    /// Decrypts the content of the file `name` with a given key.
    pub(crate) fn open_with(&self, key: &SealingKey, name: &str, content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match content {
            [VERSION, place, sealed @ ..] if *place == key.place.byte() => {
                key.key.open(sealed, &aad([VERSION, *place], name))
            }
            _ => None,
        }
    }

    /// Returns unencrypted content if the user chose unencrypted files.
    pub(crate) fn open_plain(&self, content: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        (self.is_plain() && content.first() == Some(&b'{')).then_some(content)
    }

    /// Removes the key from all backends. Content that was encrypted with it can't be decrypted any more.
    pub fn forget(&self) -> Result<(), FileError> {
        let _lock = self.lock()?;
        for place in cache_key_backend::BACKENDS {
            self.keys.remove(place, &self.name());
        }
        Ok(())
    }

    /// Determines the protection by creating a key if there is none, because a backend that can be read may have no
    /// room for another key.
    #[must_use]
    pub fn protection(&self) -> Protection {
        if self.is_plain() {
            return Protection::Plain;
        }
        let mut missing = self.wanted.refused();
        match self.key_to_seal_with(&mut missing) {
            Ok(Some(found)) => Protection::Encrypted(found.place),
            Ok(None) => Protection::Nothing(missing),
            Err(error) => Protection::Nothing(vec![KeyUnavailable(error.to_string())]),
        }
    }

    /// Determines the protection by writing a file, reading it back and removing it.
    #[must_use]
    pub fn prove(&self) -> Protection {
        let path = self.dir.join("probe");
        let failed = |why: String| Protection::Nothing(vec![KeyUnavailable(why)]);
        let sealed = match self.seal("probe", b"{}") {
            Ok(sealed) => sealed,
            Err(SealError::NoKey(reasons)) => return Protection::Nothing(reasons),
            Err(SealError::File(error)) => return failed(error.to_string()),
        };
        if let Err(error) = files::write_private(&path, &sealed.content) {
            return failed(error.to_string());
        }
        let read = files::read_own(&path, 1024).map(Zeroizing::new);
        let _ = files::remove(&path);
        match read.ok().and_then(|content| self.open("probe", content)) {
            Some(plain) if plain.as_slice() == b"{}" => self.protection(),
            _ => failed("cannot read back what was written".to_owned()),
        }
    }

    /// Returns the key of the best backend, and creates it if it doesn't exist. Returns `None` if no backend can be
    /// used.
    fn key_to_seal_with(&self, missing: &mut Vec<KeyUnavailable>) -> Result<Option<SealingKey>, FileError> {
        for place in self.wanted.backends() {
            match self.find_or_make(place) {
                Ok(key) => return Ok(Some(SealingKey { place, key })),
                Err(NoKey::KeyUnavailable(why)) => missing.push(why),
                Err(NoKey::File(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    fn find_or_make(&self, place: KeyBackend) -> Result<Key, NoKey> {
        let name = self.name();
        if let Some(key) = self.keys.find(place, &name)? {
            self.keys.keep(place, &name);
            return Ok(key);
        }
        // Processes that start at the same time must use the same key.
        let _lock = self.lock().map_err(NoKey::File)?;
        // Acquiring the lock has created the directory, which may be behind a symbolic link.
        let name = self.name();
        if let Some(key) = self.keys.find(place, &name)? {
            return Ok(key);
        }
        let key = Key::random().ok_or_else(|| KeyUnavailable(NO_RANDOM_NUMBERS.to_owned()))?;
        self.keys.put(place, &name, &key)?;
        Ok(key)
    }

    fn lock(&self) -> Result<Lock, FileError> {
        let path = self.dir.join("key.lock");
        lock::acquire(&path, Duration::from_secs(5)).map_err(|error| match error {
            LockError::File(error) => error,
            _ => FileError::new("lock", &path, std::io::ErrorKind::WouldBlock.into()),
        })
    }

    /// Returns the key's name. Each directory has its own key, regardless of the path that is used for it.
    fn name(&self) -> String {
        let dir = canonical(&self.dir).unwrap_or_else(|_| self.dir.clone());
        format!("awsrole:{}", &sha256(&[dir.as_os_str().as_encoded_bytes()])[..32])
    }
}

enum NoKey {
    KeyUnavailable(KeyUnavailable),
    File(FileError),
}

impl From<KeyUnavailable> for NoKey {
    fn from(why: KeyUnavailable) -> Self {
        Self::KeyUnavailable(why)
    }
}

fn aad(header: [u8; 2], name: &str) -> Vec<u8> {
    [&header, name.as_bytes()].concat()
}

#[cfg(test)]
pub(crate) mod tests;
