//! A private file in the user's runtime directory, which is in memory and is removed after the last logout (XDG Base
//! Directory Specification).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use awsrole_core::base::cache_key_backend::KeyUnavailable;
use awsrole_core::base::files;
use awsrole_core::base::seal::{KEY_BYTES, Key};
use zeroize::Zeroizing;

pub(super) fn find(dir: &Path, name: &str) -> Result<Option<Key>, KeyUnavailable> {
    match files::read_own(&path(dir, name)?, KEY_BYTES as u64) {
        Ok(bytes) => Ok(Key::of_bytes(&Zeroizing::new(bytes))),
        Err(_) => Ok(None),
    }
}

pub(super) fn put(dir: &Path, name: &str, key: &Key) -> Result<(), KeyUnavailable> {
    files::write_private(&path(dir, name)?, key.expose()).map_err(|error| KeyUnavailable(error.to_string()))
}

pub(super) fn remove(dir: &Path, name: &str) {
    if let Ok(path) = path(dir, name) {
        let _ = files::remove(&path);
    }
}

fn path(dir: &Path, name: &str) -> Result<PathBuf, KeyUnavailable> {
    match refusal(dir) {
        None => Ok(dir.join("awsrole").join(name.replace(':', "-"))),
        Some(why) => Err(KeyUnavailable(format!("{} {why}", dir.display()))),
    }
}

/// Returns why a directory isn't private or not in memory.
fn refusal(dir: &Path) -> Option<&'static str> {
    let Ok(found) = fs::symlink_metadata(dir) else { return Some("isn't there") };
    if !dir.is_absolute() || !found.is_dir() {
        Some("isn't a directory")
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        Some("belongs to another user")
    } else if found.mode() & 0o077 != 0 {
        Some("can be entered by others")
    } else {
        (!in_memory(dir)).then_some("isn't in memory, as far as is known")
    }
}

#[cfg(target_os = "linux")]
fn in_memory(dir: &Path) -> bool {
    // File system types of statfs(2). Both may be swapped out, like any memory.
    const TMPFS: u32 = 0x0102_1994;
    const RAMFS: u32 = 0x8584_58f6;
    rustix::fs::statfs(dir).is_ok_and(|found| matches!(found.f_type as u32, TMPFS | RAMFS))
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: &Path) -> bool {
    false
}
