//! The key that `aws login` generates on the user's machine. Each refresh must prove it.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Map, Value, json};

use crate::crypto::jwk;
use crate::crypto::secret::SecretValue;

/// Position of the private number in ring's PKCS #8 document of a P-256 key.
const PRIVATE: std::ops::Range<usize> = 36..68;

/// A key pair on P-256.
#[derive(Debug)]
pub(crate) struct DeviceKey {
    private: SecretValue<Vec<u8>>,
    /// Uncompressed point with its leading 4.
    public: Vec<u8>,
}

impl DeviceKey {
    /// Generates a key pair, or returns `None` if the system has no randomness.
    pub(crate) fn new() -> Option<Self> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).ok()?;
        let private = document.as_ref().get(PRIVATE)?.to_vec();
        Some(Self { private: SecretValue::new(private), public: pair.public_key().as_ref().to_vec() })
    }

    /// Returns the public key as a JWK.
    pub(crate) fn jwk(&self) -> Map<String, Value> {
        let coordinate = |range: std::ops::Range<usize>| BASE64URL_NOPAD.encode(&self.public[range]);
        let Value::Object(key) = json!({"kty": "EC", "crv": "P-256", "x": coordinate(1..33), "y": coordinate(33..65)})
        else {
            return Map::new();
        };
        key
    }

    /// Returns the JWK thumbprint that a session is bound to.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        jwk::thumbprint(&self.jwk())
    }

    /// Returns the key pair in the format of `dpopKey` in the cache file: RFC 5915 with the curve's name, as PEM.
    pub(crate) fn pem(&self) -> String {
        const HEAD: [u8; 7] = [0x30, 0x77, 2, 1, 1, 4, 0x20];
        const CURVE: [u8; 12] = [0xa0, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        const PUBLIC: [u8; 5] = [0xa1, 0x44, 3, 0x42, 0];
        let der = [&HEAD[..], self.private.expose(), &CURVE, &PUBLIC, &self.public].concat();
        let text = BASE64.encode(&der);
        let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
        format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", lines.join("\n"))
    }

    /// Signs a message as the client does.
    #[cfg(test)]
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let (private, public) = (self.private.expose(), &self.public);
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, private, public, &random).unwrap();
        pair.sign(&random, message).unwrap().as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_number_is_the_one_of_the_public_point() {
        // `sign` panics if the two numbers aren't a pair.
        for _ in 0..3 {
            assert_eq!(DeviceKey::new().unwrap().sign(b"x").len(), 64);
        }
    }

    #[test]
    fn the_file_holds_rfc_5915() {
        let key = DeviceKey::new().unwrap();
        let pem = key.pem();
        let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64.decode(text.as_bytes()).unwrap();
        assert_eq!((der.len(), usize::from(der[1])), (121, 119));
        assert!(der.ends_with(&key.public) && pem.starts_with("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI"), "{pem}");
        assert!(pem.lines().all(|line| line.len() <= 64));
        assert!(format!("{key:?}").contains("[secret]"));
    }
}
