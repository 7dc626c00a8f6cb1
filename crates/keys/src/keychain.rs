//! The macOS login keychain. This code was reviewed but has never been run on macOS.

use awsrole_core::aws::access_keys::{KeyRef, KeyStoreError};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use security_framework::base::Error;
use security_framework::os::macos::keychain::SecKeychain;
use security_framework::passwords::{PasswordOptions, delete_generic_password, generic_password, set_generic_password};
use zeroize::Zeroizing;

/// The service name in Keychain Access. The account name consists of profile and key.
const SERVICE: &str = "awsrole keys";

/// `errSecItemNotFound`, `errSecInteractionNotAllowed` and `errSecUserCanceled` in Security.framework's SecBase.h.
const NOT_FOUND: i32 = -25300;
const NOT_ALLOWED: i32 = -25308;
const CANCELLED: i32 = -128;

/// Checks whether the keychain may show its dialog.
pub(crate) type KeychainDialog<'a> = &'a dyn Fn() -> Result<(), KeyStoreError>;

/// Returns the secret of a key. A locked keychain shows its own dialog, if that is allowed.
pub(crate) fn secret(place: &KeyRef, dialog: KeychainDialog<'_>) -> Result<Secret, KeyStoreError> {
    let read = || generic_password(PasswordOptions::new_generic_password(SERVICE, &account(place)));
    let bytes = Zeroizing::new(quietly(dialog, read)?);
    let text = std::str::from_utf8(&bytes).map_err(|e| unusable_because(&e))?;
    Ok(Secret::new(text))
}

/// Stores a key, replacing one of the same name.
pub(crate) fn put(place: &KeyRef, secret: &Secret, dialog: KeychainDialog<'_>) -> Result<(), KeyStoreError> {
    quietly(dialog, || set_generic_password(SERVICE, &account(place), secret.expose().as_bytes()))
}

/// Removes a key.
pub(crate) fn remove(place: &KeyRef, dialog: KeychainDialog<'_>) -> Result<(), KeyStoreError> {
    match quietly(dialog, || delete_generic_password(SERVICE, &account(place))) {
        Err(KeyStoreError::Missing) => Ok(()),
        removed => removed,
    }
}

/// Tries without a dialog, and then with one if that is allowed.
fn quietly<T>(dialog: KeychainDialog<'_>, act: impl Fn() -> Result<T, Error>) -> Result<T, KeyStoreError> {
    let first = {
        let _silent = SecKeychain::disable_user_interaction().map_err(unusable)?;
        act()
    };
    match first {
        Err(error) if error.code() == NOT_ALLOWED => {
            dialog()?;
            act().map_err(unusable)
        }
        first => first.map_err(unusable),
    }
}

fn account(place: &KeyRef) -> String {
    format!("{} {}", place.profile, place.access_key_id)
}

fn unusable(error: Error) -> KeyStoreError {
    match error.code() {
        NOT_FOUND => KeyStoreError::Missing,
        CANCELLED => KeyStoreError::Cancelled,
        _ => unusable_because(&error),
    }
}

fn unusable_because(why: &dyn std::fmt::Display) -> KeyStoreError {
    KeyStoreError::Unusable(
        Problem::new("cannot use the Keychain")
            .because(why)
            .hint("`[keys] store = \"file\"` in your config.toml stores keys in a file with a passphrase"),
    )
}
