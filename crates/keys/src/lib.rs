//! Stores long-lived keys. This is the only crate that accesses secret stores.
//!
//! A store isn't accessed before a key is needed from it.

mod file;
#[cfg(target_os = "macos")]
mod keychain;
#[cfg(not(target_os = "macos"))]
mod secret_service;

use std::cell::RefCell;

use awsrole_core::aws::access_keys::{AccessKeyStores, KeyRef, KeyStoreError, StoreKind};
use awsrole_core::base::context::Paths;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;

use crate::file::FileStore;

/// The number of attempts to enter a passphrase, as in sudo.
const ATTEMPTS: u32 = 3;

/// A request for a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassphrasePrompt {
    /// For the existing one.
    Present,
    /// For the existing one, after a wrong one.
    Again,
    /// For a new one, which is entered twice.
    New,
}

/// Provides the passphrase of the key file. It is a trait because it may prompt the user.
pub trait Passphrases {
    /// Prompts for the passphrase.
    ///
    /// `begin` is called just before with a description of the prompt and its terminal.
    fn passphrase(&self, prompt: PassphrasePrompt, begin: &dyn Fn(&str)) -> Result<Secret, KeyStoreError>;

    /// Checks whether a store may show its own dialog. Called just before the dialog.
    fn dialog(&self, begin: &dyn Fn(&str)) -> Result<(), KeyStoreError>;
}

/// All secret stores of this machine.
pub struct Stores<'a> {
    paths: &'a Paths,
    person: &'a dyn Passphrases,
    /// The correct passphrase, so that a command prompts only once.
    passphrase: RefCell<Option<Secret>>,
}

impl<'a> Stores<'a> {
    /// Creates the stores without opening any.
    #[must_use]
    pub fn new(paths: &'a Paths, person: &'a dyn Passphrases) -> Self {
        Self { paths, person, passphrase: RefCell::default() }
    }

    /// Stores a key, replacing one of the same name.
    pub fn put(&self, place: &KeyRef, secret: &Secret) -> Result<(), KeyStoreError> {
        match place.store {
            StoreKind::File => self.file().change(self, |keys| keys.put(place, secret)),
            #[cfg(not(target_os = "macos"))]
            StoreKind::SecretService => secret_service::put(place, secret, &|| self.person.dialog(&|_| ())),
            #[cfg(target_os = "macos")]
            StoreKind::Keychain => keychain::put(place, secret, &|| self.person.dialog(&|_| ())),
            other => Err(unsupported(other)),
        }
    }

    /// Removes a key from its store, if it exists.
    pub fn remove(&self, place: &KeyRef) -> Result<(), KeyStoreError> {
        match place.store {
            StoreKind::File => self.file().change(self, |keys| keys.remove(place)),
            #[cfg(not(target_os = "macos"))]
            StoreKind::SecretService => secret_service::remove(place, &|| self.person.dialog(&|_| ())),
            #[cfg(target_os = "macos")]
            StoreKind::Keychain => keychain::remove(place, &|| self.person.dialog(&|_| ())),
            other => Err(unsupported(other)),
        }
    }

    /// Checks whether a store may show its dialog.
    fn dialog(&self, ask: bool, begin: &dyn Fn(&str)) -> Result<(), KeyStoreError> {
        if ask { self.person.dialog(begin) } else { Err(KeyStoreError::NotNow) }
    }

    fn file(&self) -> FileStore {
        FileStore::in_dir(&self.paths.data)
    }

    /// Opens something with the passphrase. `fits` returns the error for a wrong one, after which the user may retry.
    fn opened<T>(
        &self,
        new: bool,
        begin: &dyn Fn(&str),
        fits: impl Fn(&Secret) -> Result<T, KeyStoreError>,
    ) -> Result<(T, Secret), KeyStoreError> {
        let mut prompt = if new { PassphrasePrompt::New } else { PassphrasePrompt::Present };
        let mut attempts = 1;
        loop {
            let known = self.passphrase.borrow().clone();
            let may_retry = known.is_none() && attempts < ATTEMPTS;
            let passphrase = known.map_or_else(|| self.person.passphrase(prompt, begin), Ok)?;
            match fits(&passphrase) {
                Err(KeyStoreError::WrongPassphrase) if may_retry => prompt = PassphrasePrompt::Again,
                opened => {
                    let opened = opened?;
                    self.passphrase.replace(Some(passphrase.clone()));
                    return Ok((opened, passphrase));
                }
            }
            attempts += 1;
        }
    }
}

impl AccessKeyStores for Stores<'_> {
    fn secret(&self, place: &KeyRef, ask: bool, begin: &dyn Fn(&str)) -> Result<Secret, KeyStoreError> {
        match place.store {
            StoreKind::File if !ask && self.passphrase.borrow().is_none() => Err(KeyStoreError::NotNow),
            StoreKind::File => self.file().secret(self, place, begin),
            #[cfg(not(target_os = "macos"))]
            StoreKind::SecretService => secret_service::secret(place, &|| self.dialog(ask, begin)),
            #[cfg(target_os = "macos")]
            StoreKind::Keychain => keychain::secret(place, &|| self.dialog(ask, begin)),
            other => Err(unsupported(other)),
        }
    }
}

/// Returns the error for a store that this system doesn't have.
fn unsupported(store: StoreKind) -> KeyStoreError {
    KeyStoreError::Unusable(
        Problem::new(format!("this system doesn't have {store}"))
            .hint("`[keys] store = \"file\"` in your config.toml stores keys in a file with a passphrase"),
    )
}
