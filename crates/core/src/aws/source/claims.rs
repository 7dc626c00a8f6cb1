//! The claims of an OIDC token. They identify its bearer and aren't secret, unlike the signature.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::aws::time::from_unix;
use crate::base::files::read_regular;

use super::identity::MAX_TOKEN_BYTES;

/// The claim with which an identity provider sets session tags (IAM User Guide, "Pass session tags in AWS STS").
const TAGS: &str = "https://aws.amazon.com/tags";

/// The claim with which an identity provider sets the source identity.
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// The claims that trust policies compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The issuer (`iss`), a URL.
    pub issuer: String,
    /// The audience as IAM sees it: `azp` if the token has one, otherwise the first `aud`.
    pub audience: String,
    /// The subject (`sub`).
    pub subject: String,
    /// When the token expires (`exp`).
    pub expires: Option<SystemTime>,
    /// Whether the token sets session tags.
    pub has_tags: bool,
    /// Whether the token sets the source identity.
    pub has_source_identity: bool,
}

impl Claims {
    /// Reads the token in a file. Returns `None` if there is none, or if it isn't a JSON web token.
    #[must_use]
    pub fn load(path: &Path) -> Option<Self> {
        Self::parse(&read_regular(path, MAX_TOKEN_BYTES).ok()?)
    }

    fn parse(token: &[u8]) -> Option<Self> {
        let claims = payload(token)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let audience = || match claims.get("aud")? {
            Value::Array(several) => several.first()?.as_str().map(str::to_owned),
            one => one.as_str().map(str::to_owned),
        };
        Some(Self {
            issuer: text("iss")?,
            audience: text("azp").or_else(audience)?,
            subject: text("sub")?,
            expires: claims.get("exp").and_then(Value::as_u64).and_then(from_unix),
            has_tags: claims.contains_key(TAGS),
            has_source_identity: claims.contains_key(SOURCE_IDENTITY),
        })
    }

    /// Returns the name of the issuer in ARNs and condition keys: its URL without the scheme.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.issuer.strip_prefix("https://").unwrap_or(&self.issuer).trim_end_matches('/')
    }
}

/// Returns the claims of a JSON web token, without checking its signature.
pub(super) fn payload(token: &[u8]) -> Option<BTreeMap<String, Value>> {
    let payload = std::str::from_utf8(token).ok()?.trim().split('.').nth(1)?;
    let payload = BASE64URL_NOPAD.decode(payload.trim_end_matches('=').as_bytes()).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_trust_policies_compare() {
        let parse = |json: &str| Claims::parse(format!("x.{}.y", BASE64URL_NOPAD.encode(json.as_bytes())).as_bytes());
        let claims =
            parse(r#"{"iss": "https://ci.example.com/", "aud": ["sts", "b"], "sub": "repo:a", "exp": 7}"#).unwrap();
        assert_eq!(
            (claims.provider(), claims.audience.as_str(), claims.subject.as_str()),
            ("ci.example.com", "sts", "repo:a")
        );
        assert!(claims.expires == from_unix(7) && !claims.has_tags && !claims.has_source_identity);
        let claims =
            parse(r#"{"iss": "a", "aud": "b", "azp": "c", "sub": "d", "https://aws.amazon.com/tags": {}}"#).unwrap();
        assert!(claims.audience == "c" && claims.has_tags && claims.expires.is_none());
        for not_one in ["[]", "{}", r#"{"iss": "a", "sub": "b"}"#, "nonsense"] {
            assert_eq!(parse(not_one), None, "{not_one}");
        }
        assert_eq!(Claims::parse(b"a token of another kind"), None);
    }
}
