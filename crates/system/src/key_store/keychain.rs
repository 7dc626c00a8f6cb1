//! The macOS login keychain, without a dialog. This code is compiled for macOS, but has never run there.
//!
//! The item was created by this program, so this program may read it. A dialog would open at each `cd` if the keychain
//! is locked, as after a login by SSH, or if an upgrade without the same code signature replaced the program. Then
//! nothing is cached, and the error says what to type.

use awsrole_core::base::cache_key_backend::{KeyBackend, KeyUnavailable};
use awsrole_core::base::seal::Key;
use security_framework::os::macos::keychain::SecKeychain;
use security_framework::passwords::{PasswordOptions, delete_generic_password, generic_password, set_generic_password};
use zeroize::Zeroizing;

/// The service name in Keychain Access. The account name is the key's name.
const SERVICE: &str = "awsrole";

/// `errSecItemNotFound`, `errSecInteractionNotAllowed` and `errSecAuthFailed` in Security.framework's SecBase.h.
const NOT_FOUND: i32 = -25300;
const NOT_ALLOWED: i32 = -25308;
const AUTH_FAILED: i32 = -25293;

pub(super) fn find(name: &str) -> Result<Option<Key>, KeyUnavailable> {
    let _silent = SecKeychain::disable_user_interaction().map_err(unavailable)?;
    match generic_password(PasswordOptions::new_generic_password(SERVICE, name)) {
        Ok(bytes) => Ok(Key::of_bytes(&Zeroizing::new(bytes))),
        Err(error) if error.code() == NOT_FOUND => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

pub(super) fn put(name: &str, key: &Key) -> Result<(), KeyUnavailable> {
    let _silent = SecKeychain::disable_user_interaction().map_err(unavailable)?;
    set_generic_password(SERVICE, name, key.expose()).map_err(unavailable)
}

pub(super) fn remove(name: &str) {
    if let Ok(_silent) = SecKeychain::disable_user_interaction() {
        let _ = delete_generic_password(SERVICE, name);
    }
}

fn unavailable(error: security_framework::base::Error) -> KeyUnavailable {
    let keychain = KeyBackend::Keychain.shown();
    KeyUnavailable(match error.code() {
        NOT_ALLOWED => format!("{keychain} is locked (`security unlock-keychain`), or its item is another program's"),
        AUTH_FAILED => {
            format!("{keychain} has an item of another awsrole (`security delete-generic-password -s {SERVICE}`)")
        }
        _ => format!("cannot use {keychain}: {error}"),
    })
}
