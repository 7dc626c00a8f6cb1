//! The user keyring in the Linux kernel: keyrings(7), user-keyring(7).
//!
//! The *user* keyring is used instead of the session keyring. It is the same for all processes of a user, whether
//! started by a login, cron, tmux or sudo, and lasts until a reboot. A session keyring ends with its login. Other users
//! can neither read the user keyring nor add keys to it.

use awsrole_core::base::cache_key_backend::{KeyUnavailable, MIN_KEY_TTL};
use awsrole_core::base::seal::{KEY_BYTES, Key};
use linux_keyutils::{Key as Kept, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
use zeroize::Zeroizing;

pub(super) fn find(name: &str) -> Result<Option<Key>, KeyUnavailable> {
    let Some(kept) = search(name)? else { return Ok(None) };
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    // A key of another length belongs to another program.
    let read = kept.read(&mut *bytes).is_ok_and(|length| length == KEY_BYTES);
    Ok(read.then(|| Key::of_bytes(&*bytes)).flatten())
}

/// The key is created in the process keyring and linked to the user keyring when it is complete.
///
/// A key that is created in the user keyring has the kernel's default permissions: only a process that *possesses* the
/// keyring may read the key or change its permissions. Under cron, in a service or after `keyctl session`, no process
/// does. Every process possesses its own process keyring.
pub(super) fn put(name: &str, key: &Key) -> Result<(), KeyUnavailable> {
    let own = KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(Permission::ALL).build();
    let put = || {
        let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
        let kept = process.add_key(name, key.expose())?;
        kept.set_perms(own)?;
        kept.set_timeout(timeout())?;
        // This replaces an expired key of the same name.
        KeyRing::from_special_id(KeyRingIdentifier::User, false)?.link_key(kept)?;
        process.unlink_key(kept)
    };
    put().map_err(unavailable)
}

pub(super) fn keep(name: &str) {
    // If this fails, the key expires early and a call must be repeated.
    if let Ok(Some(kept)) = search(name) {
        let _ = kept.set_timeout(timeout());
    }
}

pub(super) fn remove(name: &str) {
    if let Ok(Some(kept)) = search(name) {
        // Invalidation takes effect immediately and in all keyrings.
        let _ = kept.invalidate();
    }
}

fn search(name: &str) -> Result<Option<Kept>, KeyUnavailable> {
    let ring = KeyRing::from_special_id(KeyRingIdentifier::User, false).map_err(unavailable)?;
    match ring.search(name) {
        Ok(kept) => Ok(Some(kept)),
        Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

fn timeout() -> usize {
    usize::try_from(MIN_KEY_TTL.as_secs()).unwrap_or_default()
}

fn unavailable(error: KeyError) -> KeyUnavailable {
    KeyUnavailable(match error {
        // Seccomp filters of containers return these errors.
        KeyError::Unknown(_) | KeyError::OperationNotSupported | KeyError::PermissionDenied => {
            "this system doesn't permit the kernel's keyring".to_owned()
        }
        KeyError::QuotaExceeded => "the kernel's keyring is full".to_owned(),
        error => format!("cannot use the kernel's keyring: {error:?}"),
    })
}
