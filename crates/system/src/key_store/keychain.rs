//! The macOS login keychain, without a dialog: the item was created by this program, so this program may read it.

use awsrole_core::base::cache_key_backend::{KeyBackend, KeyUnavailable};
use awsrole_core::base::seal::Key;
use security_framework::passwords::{PasswordOptions, delete_generic_password, generic_password, set_generic_password};
use zeroize::Zeroizing;

/// The service name in Keychain Access. The account name is the key's name.
const SERVICE: &str = "awsrole";

/// `errSecItemNotFound` in Security.framework's SecBase.h.
const NOT_FOUND: i32 = -25300;

pub(super) fn find(name: &str) -> Result<Option<Key>, KeyUnavailable> {
    match generic_password(PasswordOptions::new_generic_password(SERVICE, name)) {
        Ok(bytes) => Ok(Key::of_bytes(&Zeroizing::new(bytes))),
        Err(error) if error.code() == NOT_FOUND => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

pub(super) fn put(name: &str, key: &Key) -> Result<(), KeyUnavailable> {
    set_generic_password(SERVICE, name, key.expose()).map_err(unavailable)
}

pub(super) fn remove(name: &str) {
    let _ = delete_generic_password(SERVICE, name);
}

fn unavailable(error: security_framework::base::Error) -> KeyUnavailable {
    KeyUnavailable(format!("cannot use {}: {error}", KeyBackend::Keychain.shown()))
}
