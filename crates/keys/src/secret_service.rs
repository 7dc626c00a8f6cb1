//! The desktop's keyring through D-Bus: one item for each key, identified by its attributes. The secret is encrypted on
//! the bus for this connection.

use std::collections::HashMap;

use awsrole_core::aws::access_keys::{KeyRef, KeyStoreError};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use secret_service::blocking::{Collection, Item, SecretService};
use secret_service::{EncryptionType, Error};
use zeroize::Zeroizing;

/// Checks whether the keyring may show its dialog.
pub(crate) type Dialog<'a> = &'a dyn Fn() -> Result<(), KeyStoreError>;

/// Returns the secret of a key. A locked keyring shows its own dialog, if that is allowed.
pub(crate) fn secret(place: &KeyRef, dialog: Dialog<'_>) -> Result<Secret, KeyStoreError> {
    let service = connect()?;
    let found = service.search_items(attributes(place)).map_err(unusable)?;
    let item = match (found.unlocked.first(), found.locked.first()) {
        (Some(item), _) => item,
        (None, Some(item)) => unlocked(item, dialog)?,
        (None, None) => return Err(KeyStoreError::Missing),
    };
    let bytes = Zeroizing::new(item.get_secret().map_err(unusable)?);
    let text = std::str::from_utf8(&bytes).map_err(|e| unusable_because(&e))?;
    Ok(Secret::new(text))
}

/// Stores a key in the default keyring, replacing one of the same name.
pub(crate) fn put(place: &KeyRef, secret: &Secret, dialog: Dialog<'_>) -> Result<(), KeyStoreError> {
    let service = connect()?;
    let collection = service.get_default_collection().map_err(unusable)?;
    open(&collection, dialog)?;
    let label = format!("awsrole: {} of profile {}", place.access_key_id, place.profile);
    let bytes = secret.expose().as_bytes();
    collection.create_item(&label, attributes(place), bytes, true, "text/plain").map_err(unusable)?;
    Ok(())
}

/// Removes a key.
pub(crate) fn remove(place: &KeyRef, dialog: Dialog<'_>) -> Result<(), KeyStoreError> {
    let service = connect()?;
    let found = service.search_items(attributes(place)).map_err(unusable)?;
    for item in &found.unlocked {
        item.delete().map_err(unusable)?;
    }
    for item in &found.locked {
        unlocked(item, dialog)?.delete().map_err(unusable)?;
    }
    Ok(())
}

fn connect() -> Result<SecretService<'static>, KeyStoreError> {
    SecretService::connect(EncryptionType::Dh).map_err(unusable)
}

fn unlocked<'i, 'a>(item: &'i Item<'a>, dialog: Dialog<'_>) -> Result<&'i Item<'a>, KeyStoreError> {
    dialog()?;
    item.unlock().map_err(unusable)?;
    // A prompt that can't be shown ends without an error.
    if item.is_locked().map_err(unusable)? { Err(KeyStoreError::Cancelled) } else { Ok(item) }
}

fn open(collection: &Collection<'_>, dialog: Dialog<'_>) -> Result<(), KeyStoreError> {
    if !collection.is_locked().map_err(unusable)? {
        return Ok(());
    }
    dialog()?;
    collection.unlock().map_err(unusable)?;
    if collection.is_locked().map_err(unusable)? { Err(KeyStoreError::Cancelled) } else { Ok(()) }
}

/// Returns the attributes that identify an item. They aren't secret, and some keyrings store them unencrypted.
fn attributes(place: &KeyRef) -> HashMap<&str, &str> {
    HashMap::from([
        ("application", "awsrole"),
        ("profile", place.profile.as_str()),
        ("access_key_id", place.access_key_id.as_str()),
    ])
}

fn unusable(error: Error) -> KeyStoreError {
    match error {
        Error::Prompt | Error::PromptDisconnected => KeyStoreError::Cancelled,
        Error::NoResult => unusable_because(&"there is no default keyring"),
        error => unusable_because(&error),
    }
}

fn unusable_because(why: &dyn std::fmt::Display) -> KeyStoreError {
    KeyStoreError::Unusable(
        Problem::new("cannot use the Secret Service")
            .because(why)
            .hint("it needs a session bus (DBUS_SESSION_BUS_ADDRESS) and a keyring such as gnome-keyring on it")
            .hint("without a desktop: `[keys] store = \"file\"` in your config.toml, and `awsrole keys add PROFILE --replace`"),
    )
}
