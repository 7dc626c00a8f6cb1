//! PKCE (RFC 7636): proves that a code is redeemed by the client that requested it. S256 only, as at AWS.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// Returns whether a text has the form of an S256 challenge: 32 bytes.
pub(crate) fn is_challenge(text: &str) -> bool {
    BASE64URL_NOPAD.decode(text.as_bytes()).is_ok_and(|bytes| bytes.len() == 32)
}

/// Returns whether a verifier is well formed and gives the challenge.
pub(crate) fn proves(verifier: &str, challenge: &str) -> bool {
    let fits = verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    fits && (43..=128).contains(&verifier.len())
        && BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes())) == challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_of_rfc_7636() {
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(challenge) && proves(verifier, challenge));
        assert!(!proves(verifier, verifier), "plain");
        assert!(!proves(&verifier[..42], challenge), "too short");
        assert!(!proves(&verifier.replace('-', "+"), challenge), "not of its characters");
        assert!(!is_challenge(&challenge[..42]) && !is_challenge(&format!("{challenge}=")) && !is_challenge(""));
    }
}
