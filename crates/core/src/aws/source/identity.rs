//! The identity of a source: a digest of everything that decides whose credentials it returns.
//!
//! It is computed without contacting the source. Shells with equal digests share cached sessions, so everything that
//! could lead to a different identity must be included.

use std::path::Path;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::Source;
use super::claims::payload;
use crate::aws::iso8601;
use crate::base::context::Env;
use crate::base::digest::sha256;
use crate::base::files::read_regular;

/// The largest token file that is read, in bytes. Kubernetes tokens have about 1,500 bytes, sign-in files about 4,000.
pub(super) const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// Variables that identify the shell, terminal or window, but neither the user nor the project.
///
/// A program is assumed to return the same credentials regardless of their values. All other variables may change its
/// result.
pub const SHELL_BOOKKEEPING: [&str; 34] = [
    // Shells. PWD is the working directory, which is included separately.
    "_",
    "SHLVL",
    "PWD",
    "OLDPWD",
    "COLUMNS",
    "LINES",
    "PPID",
    "RANDOM",
    "SECONDS",
    "HISTCMD",
    "STARSHIP_SESSION_KEY",
    "ATUIN_SESSION",
    // Terminals and windows.
    "TERM_SESSION_ID",
    "WINDOWID",
    "WINDOWPATH",
    "TMUX_PANE",
    "WINDOW",
    "TTY",
    "GPG_TTY",
    "SSH_TTY",
    "ITERM_SESSION_ID",
    "KITTY_WINDOW_ID",
    "KITTY_PID",
    "WEZTERM_PANE",
    "ALACRITTY_WINDOW_ID",
    "GHOSTTY_SURFACE_ID",
    "KONSOLE_DBUS_SESSION",
    "KONSOLE_DBUS_WINDOW",
    "GNOME_TERMINAL_SCREEN",
    "VTE_VERSION",
    "WT_SESSION",
    "ZELLIJ_PANE_ID",
    "XDG_SESSION_ID",
    "TERM_PROGRAM_VERSION",
];

/// Claims that change whenever a token is renewed (RFC 7519, section 4.1).
const CLAIMS_OF_ONE_TOKEN: [&str; 4] = ["exp", "iat", "nbf", "jti"];

/// Returns a digest of everything that a program can see of its environment: the variables except for
/// [`SHELL_BOOKKEEPING`], the working directory, and the host.
#[must_use]
pub fn of_surroundings(env: &Env, dir: &Path, host: &str) -> String {
    let mut parts: Vec<&[u8]> = vec![host.as_bytes(), b"\0", dir.as_os_str().as_encoded_bytes(), b"\0"];
    for (name, value) in &env.0 {
        if !SHELL_BOOKKEEPING.iter().any(|known| name == known) {
            parts.extend([name.as_encoded_bytes(), b"=", value.as_encoded_bytes(), b"\0"]);
        }
    }
    sha256(&parts)
}

/// Returns a digest of the bearer of an OIDC token file: all claims except for those that change at each renewal.
///
/// For a token that isn't a JSON web token, returns a digest of the whole token. A file that can't be read has a digest
/// of its own.
fn of_token_file(path: &Path) -> String {
    let Ok(bytes) = read_regular(path, MAX_TOKEN_BYTES) else { return String::new() };
    match claims(&bytes) {
        Some(claims) => sha256(&[b"claims\0", claims.as_bytes()]),
        None => sha256(&[b"token\0", &bytes]),
    }
}

fn claims(token: &[u8]) -> Option<String> {
    let mut claims = payload(token)?;
    claims.retain(|name, _| !CLAIMS_OF_ONE_TOKEN.contains(&name.as_str()));
    // Kubernetes stores here when to replace the token. The pod next to it is the bearer.
    if let Some(Value::Object(kubernetes)) = claims.get_mut("kubernetes.io") {
        kubernetes.shift_remove("warnafter");
    }
    serde_json::to_string(&claims).ok()
}

/// Returns a digest of the sign-in in a token file of the AWS CLI. It is empty after a sign-out and different after
/// another sign-in.
///
/// `key` is a field that stays the same while the sign-in is renewed. If it is missing, the digest changes with each
/// renewal.
fn of_sign_in(path: &Path, key: &str) -> String {
    let Ok(bytes) = read_regular(path, MAX_TOKEN_BYTES) else { return String::new() };
    let file: Option<Map<String, Value>> = serde_json::from_slice(&bytes).ok();
    let token = file.as_ref().and_then(|file| file.get(key)).and_then(Value::as_str);
    token.map(|token| sha256(&[key.as_bytes(), b"\0", token.as_bytes()])).unwrap_or_default()
}

/// Returns whether a sign-in in a token file of the AWS CLI is valid or can be renewed without the user.
///
/// An access token of IAM Identity Center is renewed with a refresh token, until the registration of the client ends
/// (botocore, `SSOTokenProvider`).
fn is_signed_in(path: &Path, now: SystemTime) -> bool {
    let Ok(bytes) = read_regular(path, MAX_TOKEN_BYTES) else { return false };
    let file: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |key: &str| file.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let is_valid = |end: &str| text(end).and_then(|end| iso8601::parse(end).ok()).is_some_and(|end| end > now);
    is_valid("expiresAt") || text("refreshToken").is_some() && is_valid("registrationExpiresAt")
}

impl Source {
    /// Returns the command that signs in to the source, if its user isn't signed in.
    #[must_use]
    pub fn sign_in(&self, now: SystemTime) -> Option<&'static str> {
        match self {
            Self::IdentityCenter(role) => (!is_signed_in(&role.token_file, now)).then_some("awsrole login"),
            // The sign-in is renewed until AWS refuses that, which only a call can tell.
            Self::ConsoleLogin(login) => {
                let is_missing = of_sign_in(&login.token_file, "dpopKey").is_empty();
                is_missing.then_some("awsrole login")
            }
            _ => None,
        }
    }

    /// Returns the access key ID if the source consists of keys. Nothing else is needed to identify them.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        match self {
            Self::StaticKeys(keys) => Some(&keys.access_key_id),
            // The same keys in another store are the same identity.
            Self::StoredKeys(place) => Some(&place.access_key_id),
            _ => None,
        }
    }

    /// Returns the kind and the identity of the source, without a secret.
    ///
    /// Token files are read at each call, because they change when the user signs in or out.
    #[must_use]
    pub(crate) fn identity(&self) -> Value {
        let value = |what: Result<Value, serde_json::Error>| what.unwrap_or_default();
        let (kind, what, token) = match self {
            Self::StaticKeys(_) | Self::StoredKeys(_) => ("static", Value::from(self.key_id()), String::new()),
            Self::Process(process) => ("process", value(serde_json::to_value(process)), String::new()),
            Self::IdentityCenter(role) => {
                let sign_in = of_sign_in(&role.token_file, "accessToken");
                ("identity-center", value(serde_json::to_value(role)), sign_in)
            }
            Self::Instance { endpoint, host, limits: _ } => {
                ("instance", Value::from(vec![endpoint.clone(), host.clone()]), String::new())
            }
            Self::Container { address, token_file } => {
                let token = token_file.as_deref().map(of_token_file).unwrap_or_default();
                ("container", Value::from(address.as_str()), token)
            }
            Self::ConsoleLogin(login) => {
                // The key to which the sign-in's refresh token is bound (RFC 9449).
                let sign_in = of_sign_in(&login.token_file, "dpopKey");
                ("login", value(serde_json::to_value(login)), sign_in)
            }
            Self::WebIdentity(token) => {
                ("web-identity", value(serde_json::to_value(token)), of_token_file(&token.token_file))
            }
        };
        serde_json::json!([kind, what, token])
    }

    /// Returns false if the source is identified by a token and the identity was computed without one.
    #[must_use]
    pub(crate) fn is_identified_by(&self, identity: &Value) -> bool {
        match self {
            Self::IdentityCenter(_) | Self::ConsoleLogin(_) | Self::WebIdentity(_) => identity[2] != "",
            Self::Container { token_file, .. } => token_file.is_none() || identity[2] != "",
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use data_encoding::BASE64URL_NOPAD;

    use super::*;
    use crate::base::files::write_private;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect())
    }

    #[test]
    fn surroundings_ignore_only_shell_bookkeeping() {
        let of = |pairs: &[(&str, &str)]| of_surroundings(&env(pairs), Path::new("/shop"), "host");
        let plain = of(&[("VAULT_ADDR", "a")]);
        for pairs in [&[("VAULT_ADDR", "b")][..], &[], &[("VAULT_ADDR", "a"), ("AWS_CONFIG_FILE", "c")]] {
            assert_ne!(of(pairs), plain);
        }
        assert_ne!(of(&[("A", "1"), ("B", "2")]), of(&[("A", "1B=2")]), "no value passes for another variable");
        for name in SHELL_BOOKKEEPING {
            assert_eq!(of(&[("VAULT_ADDR", "a"), (name, "x")]), plain, "{name}");
        }
        let same = env(&[("VAULT_ADDR", "a")]);
        assert_ne!(of_surroundings(&same, Path::new("/shop/sub"), "host"), plain);
        assert_ne!(of_surroundings(&same, Path::new("/shop"), "other"), plain);
    }

    #[test]
    fn token_identity_survives_renewal_and_depends_on_the_subject() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("token");
        let of = |payload: &str| {
            let token =
                format!("{}.{}.sig\n", BASE64URL_NOPAD.encode(b"{}"), BASE64URL_NOPAD.encode(payload.as_bytes()));
            write_private(&path, token.as_bytes()).unwrap();
            of_token_file(&path)
        };
        let first = of(r#"{"iss":"i","sub":"a","exp":1,"kubernetes.io":{"pod":{"uid":"1"},"warnafter":5}}"#);
        assert_eq!(
            of(
                r#"{"exp":2,"iat":3,"jti":"x","nbf":1,"sub":"a","iss":"i","kubernetes.io":{"pod":{"uid":"1"},"warnafter":6}}"#
            ),
            first
        );
        for other in [
            r#"{"iss":"i","sub":"b","kubernetes.io":{"pod":{"uid":"1"}}}"#,
            r#"{"iss":"j","sub":"a","kubernetes.io":{"pod":{"uid":"1"}}}"#,
            r#"{"iss":"i","sub":"a","kubernetes.io":{"pod":{"uid":"2"}}}"#,
            r#"{"iss":"i","sub":"a","aud":"x","kubernetes.io":{"pod":{"uid":"1"}}}"#,
        ] {
            assert_ne!(of(other), first, "{other}");
        }
        write_private(&path, b"opaque").unwrap();
        let opaque = of_token_file(&path);
        write_private(&path, b"opaque2").unwrap();
        assert!(opaque != of_token_file(&path) && opaque != first && !opaque.is_empty());
        assert_eq!(of_token_file(&home.path().join("none")), "");
    }

    #[test]
    fn sign_in_identity_is_lost_with_its_token() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("token.json");
        let of = |text: &str| {
            write_private(&path, text.as_bytes()).unwrap();
            of_sign_in(&path, "accessToken")
        };
        let first = of(r#"{"accessToken":"a","expiresAt":"1"}"#);
        assert_eq!(of(r#"{"expiresAt":"2","accessToken":"a"}"#), first);
        assert_ne!(of(r#"{"accessToken":"b"}"#), first);
        for none in ["", "{", "[]", "{}", r#"{"accessToken":1}"#] {
            assert_eq!(of(none), "", "{none}");
        }
        assert_eq!(of_sign_in(&home.path().join("none"), "accessToken"), "");
        assert!(!first.is_empty());
    }
}
