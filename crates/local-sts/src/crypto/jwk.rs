//! Thumbprints of JSON Web Keys (RFC 7638).

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Returns the SHA-256 thumbprint of a key on P-256, or `None` for any other key.
pub(crate) fn thumbprint(key: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let coordinate = |name| text(name).filter(|x| BASE64URL_NOPAD.decode(x.as_bytes()).is_ok_and(|x| x.len() == 32));
    if (text("kty")?, text("crv")?) != ("EC", "P-256") {
        return None;
    }
    // RFC 7638: these members only, in alphabetical order, without blanks.
    let canonical = json!({"crv": "P-256", "kty": "EC", "x": coordinate("x")?, "y": coordinate("y")?}).to_string();
    Some(BASE64URL_NOPAD.encode(&Sha256::digest(canonical.as_bytes())))
}
