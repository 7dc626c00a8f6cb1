//! The user's keyring in the Linux kernel: keyrings(7), user-keyring(7).
//!
//! The *user* keyring and not the session's: it is the same for every process of a user, whether
//! started by a login, by cron, by tmux or by sudo, and ends with the machine. A session's ends with
//! a login. No other user can look into it, or put anything there.

use awsrole_core::base::cache_key_backend::{KeyUnavailable, MIN_KEY_TTL};
use awsrole_core::base::seal::{KEY_BYTES, Key};
use linux_keyutils::{Key as Kept, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
use zeroize::Zeroizing;

pub(super) fn find(name: &str) -> Result<Option<Key>, KeyUnavailable> {
    let Some(kept) = search(name)? else { return Ok(None) };
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    // Another length is another program's key.
    let read = kept.read(&mut *bytes).is_ok_and(|length| length == KEY_BYTES);
    Ok(read.then(|| Key::of_bytes(&*bytes)).flatten())
}

/// The key comes into the user's keyring when it is whole. Made there, it would have the kernel's
/// default permissions: then only a process that *possesses* the keyring may read it or even change
/// its permissions, and under cron, in a service or after `keyctl session` none does. A key is one's
/// own in the keyring of one's own process.
pub(super) fn put(name: &str, key: &Key) -> Result<(), KeyUnavailable> {
    let own = KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(Permission::ALL).build();
    let put = || {
        let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
        let kept = process.add_key(name, key.expose())?;
        kept.set_perms(own)?;
        kept.set_timeout(timeout())?;
        // An expired one of that name gives way.
        KeyRing::from_special_id(KeyRingIdentifier::User, false)?.link_key(kept)?;
        process.unlink_key(kept)
    };
    put().map_err(unavailable)
}

pub(super) fn keep(name: &str) {
    // A key that is dropped early costs a call, not the role.
    if let Ok(Some(kept)) = search(name) {
        let _ = kept.set_timeout(timeout());
    }
}

pub(super) fn remove(name: &str) {
    if let Ok(Some(kept)) = search(name) {
        // At once and for all who hold it, not only in this keyring.
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
        // As containers' filters answer.
        KeyError::Unknown(_) | KeyError::OperationNotSupported | KeyError::PermissionDenied => {
            "this system doesn't let programs use the kernel's keyring".to_owned()
        }
        KeyError::QuotaExceeded => "the kernel's keyring is full".to_owned(),
        error => format!("the kernel's keyring can't be used: {error:?}"),
    })
}
