//! The system's backends for the cache encryption key. They need no daemon and never prompt.

use std::path::{Path, PathBuf};

use awsrole_core::base::cache_key_backend::{CacheKeyBackend, KeyBackend, KeyUnavailable};
use awsrole_core::base::context::Env;
use awsrole_core::base::seal::Key;

#[cfg(target_os = "linux")]
mod keyring;
#[cfg(target_os = "macos")]
mod keychain;
mod runtime;

/// The backends of this system.
pub struct System {
    /// The runtime directory.
    runtime: PathBuf,
}

impl System {
    /// Returns the backends for an environment. cron and sudo don't set the runtime directory, so systemd's default
    /// path is used then.
    pub fn of(env: &Env) -> Self {
        let told = env.filled("XDG_RUNTIME_DIR").map(PathBuf::from);
        let usual = || Path::new("/run/user").join(rustix::process::geteuid().as_raw().to_string());
        Self { runtime: told.unwrap_or_else(usual) }
    }
}

/// Returns the error for a backend that this system doesn't have.
fn unsupported(place: KeyBackend) -> KeyUnavailable {
    KeyUnavailable(format!("this system doesn't have {}", place.shown()))
}

impl CacheKeyBackend for System {
    fn find(&self, place: KeyBackend, name: &str) -> Result<Option<Key>, KeyUnavailable> {
        match place {
            #[cfg(target_os = "linux")]
            KeyBackend::Keyring => keyring::find(name),
            #[cfg(target_os = "macos")]
            KeyBackend::Keychain => keychain::find(name),
            KeyBackend::Runtime => runtime::find(&self.runtime, name),
            other => Err(unsupported(other)),
        }
    }

    fn put(&self, place: KeyBackend, name: &str, key: &Key) -> Result<(), KeyUnavailable> {
        match place {
            #[cfg(target_os = "linux")]
            KeyBackend::Keyring => keyring::put(name, key),
            #[cfg(target_os = "macos")]
            KeyBackend::Keychain => keychain::put(name, key),
            KeyBackend::Runtime => runtime::put(&self.runtime, name, key),
            other => Err(unsupported(other)),
        }
    }

    fn keep(&self, place: KeyBackend, name: &str) {
        match (place, name) {
            #[cfg(target_os = "linux")]
            (KeyBackend::Keyring, name) => keyring::keep(name),
            _ => {}
        }
    }

    fn remove(&self, place: KeyBackend, name: &str) {
        match place {
            #[cfg(target_os = "linux")]
            KeyBackend::Keyring => keyring::remove(name),
            #[cfg(target_os = "macos")]
            KeyBackend::Keychain => keychain::remove(name),
            KeyBackend::Runtime => runtime::remove(&self.runtime, name),
            _ => {}
        }
    }
}
