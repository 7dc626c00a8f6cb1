//! The key file: JSON encrypted with a passphrase, in the format of the `scrypt` tool (Tarsnap's FORMAT: scrypt,
//! AES-256 in counter mode, HMAC-SHA-256). `scrypt dec` can decrypt it without awsrole.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use awsrole_core::aws::access_keys::{KeyRef, KeyStoreError};
use awsrole_core::base::files::{FileError, read_own, write_durable};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use scryptenc::{Decryptor, Encryptor};
use zeroize::Zeroizing;

use crate::Stores;

/// The cost of scrypt: 128 MiB and about half a second for each guess (OWASP's Password Storage Cheat Sheet: N = 2^17,
/// r = 8, p = 1).
const LOG_N: u8 = 17;

/// The maximum memory that a file may require, in bytes: 4 GiB. A damaged file must not exhaust the memory.
const MAX_MEMORY: u64 = 4 << 30;

/// The maximum number of sequential rounds that a file may require.
const MAX_ROUNDS: u32 = 16;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The key file. It is created with the first key.
pub(crate) struct FileStore {
    path: PathBuf,
}

/// The content of the file: secrets by profile and key.
#[derive(Default)]
pub(crate) struct SecretsFile(BTreeMap<String, BTreeMap<String, Secret>>);

impl FileStore {
    /// Returns the file in awsrole's data directory.
    pub(crate) fn in_dir(data: &Path) -> Self {
        Self { path: data.join("keys").join("store.scrypt") }
    }

    /// Returns the secret of a key.
    pub(crate) fn secret(
        &self,
        stores: &Stores<'_>,
        place: &KeyRef,
        begin: &dyn Fn(&str),
    ) -> Result<Secret, KeyStoreError> {
        let bytes = self.read()?.ok_or(KeyStoreError::Missing)?;
        let (keys, _) = stores.opened(false, begin, |passphrase| self.decrypted(&bytes, passphrase))?;
        keys.0
            .get(&place.profile)
            .and_then(|keys| keys.get(&place.access_key_id))
            .cloned()
            .ok_or(KeyStoreError::Missing)
    }

    /// Changes the content of the file.
    ///
    /// Only one process does this at a time: callers hold the lock of all stores
    /// ([`awsrole_core::aws::access_keys::lock`]).
    pub(crate) fn change(
        &self,
        stores: &Stores<'_>,
        change: impl FnOnce(&mut SecretsFile),
    ) -> Result<(), KeyStoreError> {
        let (mut keys, passphrase) = match self.read()? {
            Some(bytes) => stores.opened(false, &|_| (), |passphrase| self.decrypted(&bytes, passphrase))?,
            None => stores.opened(true, &|_| (), |_| Ok(SecretsFile::default()))?,
        };
        change(&mut keys);
        let params = scrypt_params().map_err(|e| self.unusable(&e))?;
        let text = keys.text();
        let bytes = Encryptor::with_params(&text, passphrase.expose(), params).encrypt_to_vec();
        write_durable(&self.path, &bytes).map_err(|e| self.unusable(&e))
    }

    fn read(&self) -> Result<Option<Vec<u8>>, KeyStoreError> {
        match read_own(&self.path, MAX_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.unusable(&FileError::new("read", &self.path, e))),
        }
    }

    fn decrypted(&self, bytes: &[u8], passphrase: &Secret) -> Result<SecretsFile, KeyStoreError> {
        let params = scryptenc::Params::new(bytes).map_err(|e| self.unusable(&e))?;
        // The memory of scrypt is 128 · r · N (RFC 7914, section 2).
        let memory = 1_u64.checked_shl(params.log_n().into()).and_then(|n| n.checked_mul(128 * u64::from(params.r())));
        if memory.is_none_or(|memory| memory > MAX_MEMORY) || params.p() > MAX_ROUNDS {
            return Err(self.unusable(&"opening it would need more than 4 GiB of memory, or too much time"));
        }
        let decrypted = Decryptor::new(&bytes, passphrase.expose()).and_then(|decryptor| decryptor.decrypt_to_vec());
        let text = match decrypted {
            Ok(text) => Zeroizing::new(text),
            Err(scryptenc::Error::InvalidHeaderMac(_)) => return Err(KeyStoreError::WrongPassphrase),
            Err(e) => return Err(self.unusable(&e)),
        };
        SecretsFile::parse(&text).ok_or_else(|| self.unusable(&"it doesn't contain keys"))
    }

    fn unusable(&self, why: &dyn std::fmt::Display) -> KeyStoreError {
        KeyStoreError::Unusable(
            Problem::new(format!("cannot use the key file {}", self.path.display()))
                .because(why)
                .hint("restore it from a backup, or remove it and store the keys again with `awsrole keys add`"),
        )
    }
}

impl SecretsFile {
    pub(crate) fn put(&mut self, place: &KeyRef, secret: &Secret) {
        let keys = self.0.entry(place.profile.clone()).or_default();
        keys.insert(place.access_key_id.clone(), secret.clone());
    }

    pub(crate) fn remove(&mut self, place: &KeyRef) {
        if let Some(keys) = self.0.get_mut(&place.profile) {
            keys.remove(&place.access_key_id);
        }
        self.0.retain(|_, keys| !keys.is_empty());
    }

    fn text(&self) -> Zeroizing<Vec<u8>> {
        let plain: BTreeMap<&str, BTreeMap<&str, &str>> = self
            .0
            .iter()
            .map(|(profile, keys)| {
                (profile.as_str(), keys.iter().map(|(id, secret)| (id.as_str(), secret.expose())).collect())
            })
            .collect();
        Zeroizing::new(serde_json::to_vec(&plain).unwrap_or_default())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let plain: BTreeMap<String, BTreeMap<String, Zeroizing<String>>> = serde_json::from_slice(text).ok()?;
        let keys = plain.into_iter().map(|(profile, keys)| {
            (profile, keys.into_iter().map(|(id, secret)| (id, Secret::new(secret.as_str()))).collect())
        });
        Some(Self(keys.collect()))
    }
}

fn scrypt_params() -> Result<scryptenc::scrypt::Params, scryptenc::scrypt::errors::InvalidParams> {
    scryptenc::scrypt::Params::new(LOG_N, 8, 1, scryptenc::scrypt::Params::RECOMMENDED_LEN)
}
