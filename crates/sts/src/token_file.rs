//! Files in which the AWS CLI stores the tokens of a sign-in. Unknown fields are preserved.

use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, SystemTime};

use awsrole_core::aws::iso8601;
use awsrole_core::base::files::{FileError, read_regular, write_private};
use awsrole_core::base::lock::{self, Lock, LockError};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::RemoteSts;

/// The largest file that is read, in bytes. About 4,000 are typical.
const MAX_BYTES: u64 = 256 * 1024;

/// The time to wait for another process that renews the same token.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// The content of a token file.
pub(crate) struct TokenFile<'a> {
    path: &'a Path,
    fields: Map<String, Value>,
}

/// The reason why a token file can't be used.
pub(crate) enum NoToken {
    /// The file doesn't exist: the user isn't signed in.
    Missing,
    /// It can't be read or has an invalid field. The text names the file.
    Unusable(String),
}

impl<'a> TokenFile<'a> {
    /// Acquires the lock for changing a token file, a file next to it. Other programs don't use it.
    ///
    /// Homes may share a token file but not their caches, so the locks in the cache aren't enough. Returns `None` if
    /// the directory is read-only: then no process can change the token.
    ///
    /// # Errors
    /// Fails if another process holds the lock until the timeout.
    pub(crate) fn lock(path: &Path) -> Result<Option<Lock>, NoToken> {
        match lock::acquire(&path.with_extension("lock"), LOCK_TIMEOUT) {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::File(_)) => Ok(None),
            Err(LockError::Busy | LockError::Asking(_)) => {
                Err(NoToken::Unusable(format!("{} is being changed by another process", path.display())))
            }
        }
    }

    /// Returns a file without content, which replaces the one at `path` when it is written.
    pub(crate) fn new(path: &'a Path) -> Self {
        Self { path, fields: Map::new() }
    }

    pub(crate) fn read(path: &'a Path) -> Result<Self, NoToken> {
        let unusable = |why: &dyn Display| NoToken::Unusable(format!("{} {why}", path.display()));
        let bytes = read_regular(path, MAX_BYTES).map(Zeroizing::new).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => NoToken::Missing,
            _ => unusable(&format!("can't be read: {error}")),
        })?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self { path, fields }),
            Ok(_) => Err(unusable(&"isn't a JSON object")),
            // The parser's error might repeat a secret.
            Err(error) => Err(unusable(&format!("isn't JSON (line {}, column {})", error.line(), error.column()))),
        }
    }

    /// Returns a required text. `place` is its path, such as `accessToken.expiresAt`.
    pub(crate) fn text(&self, place: &str) -> Result<&str, NoToken> {
        match self.find(place) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            Some(Value::String(_)) => Err(self.unusable(&format!("has an empty `{place}`"))),
            Some(_) => Err(self.unusable(&format!("has no text in `{place}`"))),
            None => Err(self.unusable(&format!("has no `{place}`"))),
        }
    }

    /// Returns an optional text.
    pub(crate) fn optional(&self, place: &str) -> Option<&str> {
        self.find(place).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Returns whether a list contains a text.
    pub(crate) fn lists(&self, place: &str, text: &str) -> bool {
        let list = self.find(place).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|item| item.as_str() == Some(text)))
    }

    /// Returns a required time.
    pub(crate) fn time(&self, place: &str) -> Result<SystemTime, NoToken> {
        iso8601::parse(self.text(place)?).map_err(|why| self.unusable(&format!("has an invalid `{place}`: it {why}")))
    }

    /// Returns an error that names the file.
    pub(crate) fn unusable(&self, what: &dyn Display) -> NoToken {
        NoToken::Unusable(format!("{} {what}", self.path.display()))
    }

    /// Sets fields.
    pub(crate) fn set(&mut self, fields: Value) {
        if let Value::Object(fields) = fields {
            self.fields.extend(fields);
        }
    }

    /// Writes the file atomically, because the refresh token in it may be usable only once.
    pub(crate) fn write(&self) -> Result<(), FileError> {
        let text = Zeroizing::new(serde_json::to_string(&self.fields).unwrap_or_default());
        write_private(self.path, text.as_bytes())
    }

    /// Writes the file, unless it no longer contains the refresh token that was used: the user signed in again or
    /// signed out in the meantime.
    pub(crate) fn replace(&self, used: &str, sts: &RemoteSts<'_>) {
        if Self::read(self.path).is_ok_and(|now| now.optional("refreshToken") == Some(used)) {
            self.write_or_notice(sts);
        }
    }

    /// Writes the file. If that fails, prints a notice: the new token is valid for this command, but the refresh token
    /// in the file may have been used up.
    fn write_or_notice(&self, sts: &RemoteSts<'_>) {
        if let Err(error) = self.write() {
            sts.print_notice(&format!(
                "{error}: awsrole can't keep the renewed sign-in, so you may have to sign in again"
            ));
        }
    }

    fn find(&self, place: &str) -> Option<&Value> {
        let mut parts = place.split('.');
        let first = self.fields.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<SystemTime, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.json");
        write_private(&path, content.as_bytes()).unwrap();
        let found = TokenFile::read(&path).and_then(|file| {
            file.text("accessToken.secret")?;
            file.time("expiresAt")
        });
        found.map_err(|no| match no {
            NoToken::Missing => "missing".to_owned(),
            NoToken::Unusable(why) => why.replace(path.to_str().unwrap(), "FILE"),
        })
    }

    #[test]
    fn errors_name_the_field_without_repeating_secrets() {
        let good = r#"{"accessToken": {"secret": "canary"}, "expiresAt": "1970-01-01T00:00:07UTC"}"#;
        assert_eq!(read(good), Ok(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(7)));
        for (content, expected) in [
            ("", "FILE isn't JSON (line 1, column 0)"),
            ("canary", "FILE isn't JSON (line 1, column 1)"),
            ("[]", "FILE isn't a JSON object"),
            ("{}", "FILE has no `accessToken.secret`"),
            (r#"{"accessToken": "canary"}"#, "FILE has no `accessToken.secret`"),
            (r#"{"accessToken": {"secret": 1}}"#, "FILE has no text in `accessToken.secret`"),
            (r#"{"accessToken": {"secret": ""}}"#, "FILE has an empty `accessToken.secret`"),
            (r#"{"accessToken": {"secret": "canary"}}"#, "FILE has no `expiresAt`"),
            (
                r#"{"accessToken": {"secret": "canary"}, "expiresAt": "canary"}"#,
                "FILE has an invalid `expiresAt`: it isn't a time (2030-01-02T03:04:05Z)",
            ),
        ] {
            let said = read(content).unwrap_err();
            assert_eq!(said, expected, "{content}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_kept_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        write_private(&dir.path().join("file"), b"").unwrap();
        let path = dir.path().join("file/token.json");
        let said = std::cell::RefCell::new(Vec::new());
        let notice = Box::new(|text: &str| said.borrow_mut().push(text.to_owned()));
        let sts = RemoteSts::new(crate::Limits::default(), || SystemTime::UNIX_EPOCH, notice);
        TokenFile { path: &path, fields: Map::new() }.write_or_notice(&sts);
        assert!(
            said.borrow()[0].starts_with("cannot create ") && said.borrow()[0].contains("sign in again"),
            "{said:?}"
        );
        assert_eq!(said.borrow().len(), 1);
    }

    #[test]
    fn preserves_unknown_fields() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.json");
        write_private(&path, br#"{"signInRegion": "eu-west-1", "refreshToken": "old"}"#).unwrap();
        let Ok(mut file) = TokenFile::read(&path) else { panic!("it is there") };
        file.set(serde_json::json!({"refreshToken": "new"}));
        file.write().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, r#"{"signInRegion":"eu-west-1","refreshToken":"new"}"#);
        assert!(matches!(TokenFile::read(&dir.path().join("none")), Err(NoToken::Missing)));
    }

    #[test]
    fn a_renewal_keeps_a_newer_sign_in_and_a_sign_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.json");
        let sts =
            RemoteSts::new(crate::Limits::default(), || SystemTime::UNIX_EPOCH, Box::new(|text| panic!("{text}")));
        let mut file = TokenFile::new(&path);
        file.set(serde_json::json!({"refreshToken": "next"}));
        file.replace("used", &sts);
        assert!(!path.exists(), "the user signed out");
        for (before, after) in [("newer", "newer"), ("used", "next")] {
            write_private(&path, format!(r#"{{"refreshToken":"{before}"}}"#).as_bytes()).unwrap();
            file.replace("used", &sts);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!(r#"{{"refreshToken":"{after}"}}"#));
        }
    }
}
