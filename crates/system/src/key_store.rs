//! Where this system keeps the key of the cache: no daemon, no question.

use std::path::{Path, PathBuf};

use awsrole_core::context::Env;
use awsrole_core::seal::Key;
use awsrole_core::vault::{KeyStore, Place, Unavailable};

#[cfg(target_os = "linux")]
mod keyring;
#[cfg(target_os = "macos")]
mod keychain;
mod runtime;

/// The places of this system.
pub struct System {
    /// The runtime directory.
    runtime: PathBuf,
}

impl System {
    /// The places for a user with an environment. cron and sudo don't tell them their runtime
    /// directory; then it is looked for where systemd makes it.
    pub fn of(env: &Env) -> Self {
        let told = env.filled("XDG_RUNTIME_DIR").map(PathBuf::from);
        let usual = || Path::new("/run/user").join(rustix::process::geteuid().as_raw().to_string());
        Self { runtime: told.unwrap_or_else(usual) }
    }
}

/// What another system has.
fn elsewhere(place: Place) -> Unavailable {
    Unavailable(format!("this system hasn't {}", place.shown()))
}

impl KeyStore for System {
    fn find(&self, place: Place, name: &str) -> Result<Option<Key>, Unavailable> {
        match place {
            #[cfg(target_os = "linux")]
            Place::Keyring => keyring::find(name),
            #[cfg(target_os = "macos")]
            Place::Keychain => keychain::find(name),
            Place::Runtime => runtime::find(&self.runtime, name),
            other => Err(elsewhere(other)),
        }
    }

    fn put(&self, place: Place, name: &str, key: &Key) -> Result<(), Unavailable> {
        match place {
            #[cfg(target_os = "linux")]
            Place::Keyring => keyring::put(name, key),
            #[cfg(target_os = "macos")]
            Place::Keychain => keychain::put(name, key),
            Place::Runtime => runtime::put(&self.runtime, name, key),
            other => Err(elsewhere(other)),
        }
    }

    fn keep(&self, place: Place, name: &str) {
        match place {
            #[cfg(target_os = "linux")]
            Place::Keyring => keyring::keep(name),
            _ => {}
        }
    }

    fn remove(&self, place: Place, name: &str) {
        match place {
            #[cfg(target_os = "linux")]
            Place::Keyring => keyring::remove(name),
            #[cfg(target_os = "macos")]
            Place::Keychain => keychain::remove(name),
            Place::Runtime => runtime::remove(&self.runtime, name),
            _ => {}
        }
    }
}
