//! Provides a home directory for this process, with the files of a target.

use std::fs;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use awsrole_core::base::cache_key_backend::{CacheKeyBackend, KeyBackend, KeyUnavailable};
use awsrole_core::base::context::{Context, Env, Paths};
use awsrole_core::base::seal::Key;

/// Writes files below a home directory, and returns a context in its directory `p`.
pub fn context(files: &[(&str, &[u8])]) -> Context {
    let home = std::env::temp_dir().join(format!("awsrole-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(home.join("data"));
    for folder in ["p", ".aws"] {
        fs::create_dir_all(home.join(folder)).expect("a folder for the run");
    }
    for (name, content) in files {
        fs::write(home.join(name), content).expect("a file of the run");
    }
    let paths = Paths {
        config: home.join("config"),
        data: home.join("data"),
        state: home.join("state"),
        cache: home.join("cache"),
        home: home.clone(),
        organization: home.join("etc/config.toml"),
    };
    let now = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    Context {
        dir: home.join("p"),
        env: Env::default(),
        now,
        paths,
        keys: Rc::new(OneKey),
        host: || "host".to_owned(),
        program: None,
        organization: Rc::default(),
    }
}

/// A key backend that always returns the same key.
struct OneKey;

impl CacheKeyBackend for OneKey {
    fn find(&self, _: KeyBackend, _: &str) -> Result<Option<Key>, KeyUnavailable> {
        Ok(Key::of_bytes(&[7; 32]))
    }
    fn put(&self, _: KeyBackend, _: &str, _: &Key) -> Result<(), KeyUnavailable> {
        Ok(())
    }
    fn keep(&self, _: KeyBackend, _: &str) {}
    fn remove(&self, _: KeyBackend, _: &str) {}
}

/// Returns the values of lines that contain a secret, if they are long enough not to occur by chance.
#[allow(dead_code, reason = "not every target has secrets")]
pub fn secrets(credentials: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(credentials);
    let values = text.lines().filter_map(|line| line.split_once('='));
    let secret = values.filter(|(key, _)| matches!(key.trim(), "aws_secret_access_key" | "aws_session_token"));
    secret.map(|(_, value)| value.trim().to_owned()).filter(|value| value.len() >= 12 && !value.contains(' ')).collect()
}
