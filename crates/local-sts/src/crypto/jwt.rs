//! JSON Web Tokens (JWT): parsing, verification with an identity provider's keys, and signing for tests.
//!
//! RS256 and ES256 only. `none` and the symmetric algorithms don't prove the provider's identity.

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A parsed token. Its signature and claims aren't verified yet.
#[derive(Debug)]
pub(crate) struct Jwt<'a> {
    header: Header,
    pub(crate) claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    jwk: Option<Map<String, Value>>,
}

/// An identity provider's public key.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    kid: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed point with its leading 4.
    P256(Vec<u8>),
}

/// An identity provider's private key. It exists in memory only.
pub(crate) struct JwtSigner {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

#[derive(Deserialize)]
struct RawKeys {
    keys: Vec<RawKey>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl<'a> Jwt<'a> {
    /// Parses a token in compact serialization. Returns `None` for any other text.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        Some(Self {
            header: serde_json::from_slice(&decoded(header)?).ok()?,
            claims: serde_json::from_slice(&decoded(claims)?).ok()?,
            signed,
            signature: decoded(signature)?,
        })
    }

    /// Returns whether one of these keys made the signature. If the token has a `kid`, only that key is tried.
    pub(crate) fn is_signed_by<'k>(&self, keys: impl IntoIterator<Item = &'k VerificationKey>) -> bool {
        let named = |key: &&VerificationKey| self.header.kid.is_none() || self.header.kid == key.kid;
        keys.into_iter().filter(named).any(|key| self.is_signed_with(&key.material))
    }

    fn is_signed_with(&self, material: &Material) -> bool {
        let message = self.signed.as_bytes();
        match (material, self.header.alg.as_str()) {
            (Material::Rsa { n, e }, "RS256") => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, &self.signature).is_ok()
            }
            (Material::P256(point), "ES256") => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &self.signature).is_ok()
            }
            _ => false,
        }
    }

    /// Returns type and algorithm from the header.
    pub(crate) fn kind(&self) -> (Option<&str>, &str) {
        (self.header.typ.as_deref(), &self.header.alg)
    }

    /// Returns the header's `jwk`.
    pub(crate) fn own_key(&self) -> Option<&Map<String, Value>> {
        self.header.jwk.as_ref()
    }

    /// Returns a claim that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// Returns a claim that is a Unix time in seconds. The API reference of STS requires integers.
    pub(crate) fn seconds(&self, name: &str) -> Option<u64> {
        self.claims.get(name)?.as_u64()
    }
}

/// Parses a JWKS document.
///
/// # Errors
/// It isn't a JWKS document, or it has a key that this server can't verify signatures with.
pub(crate) fn parse_keys(text: &str) -> Result<Vec<VerificationKey>, String> {
    let raw: RawKeys = serde_json::from_str(text).map_err(|error| format!("jwks: {error}"))?;
    raw.keys.into_iter().map(RawKey::check).collect()
}

/// Parses one JWK.
///
/// # Errors
/// As for [`parse_keys`].
pub(crate) fn parse_key(key: &Map<String, Value>) -> Result<VerificationKey, String> {
    let raw: RawKey = serde_json::from_value(Value::Object(key.clone())).map_err(|error| format!("jwk: {error}"))?;
    raw.check()
}

impl RawKey {
    fn check(self) -> Result<VerificationKey, String> {
        let bytes = |value: Option<String>| BASE64URL_NOPAD.decode(value.unwrap_or_default().as_bytes()).ok();
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => bytes(self.n).zip(bytes(self.e)).map(|(n, e)| Material::Rsa { n, e }),
            ("EC", Some("P-256")) => {
                bytes(self.x).zip(bytes(self.y)).map(|(x, y)| Material::P256([&[4][..], &x, &y].concat()))
            }
            _ => None,
        };
        let material = material.ok_or("jwks: only keys of RSA (n, e) and EC on P-256 (x, y) are known here")?;
        Ok(VerificationKey { kid: self.kid, material })
    }
}

impl JwtSigner {
    /// Generates a key pair, or returns `None` if the system has no randomness.
    pub(crate) fn new() -> Option<Self> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).ok()?;
        Some(Self { pair, random })
    }

    /// Returns the public key.
    pub(crate) fn public(&self, kid: &str) -> VerificationKey {
        VerificationKey {
            kid: Some(kid.to_owned()),
            material: Material::P256(self.pair.public_key().as_ref().to_vec()),
        }
    }

    /// Signs a token, or returns `None` if the system has no randomness.
    pub(crate) fn sign(&self, kid: &str, claims: &Map<String, Value>) -> Option<String> {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": kid}).to_string();
        let encoded = |text: &[u8]| BASE64URL_NOPAD.encode(text);
        let signed = format!("{}.{}", encoded(header.as_bytes()), encoded(&serde_json::to_vec(claims).ok()?));
        let signature = self.pair.sign(&self.random, signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", encoded(signature.as_ref())))
    }
}

impl std::fmt::Debug for JwtSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.2: RS256.
    const RFC_RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const RFC_RSA_KEY: &str = r#"{"kty": "RSA", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ", "e": "AQAB"}"#;
    /// RFC 7515, appendix A.3: ES256.
    const RFC_ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const RFC_EC_KEY: &str = r#"{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

    fn keys(key: &str) -> Vec<VerificationKey> {
        parse_keys(&format!(r#"{{"keys": [{key}]}}"#)).unwrap()
    }

    #[test]
    fn examples_of_rfc_7515() {
        for (token, key, other) in [(RFC_RS256, RFC_RSA_KEY, RFC_EC_KEY), (RFC_ES256, RFC_EC_KEY, RFC_RSA_KEY)] {
            let parsed = Jwt::parse(token).unwrap();
            assert!(parsed.is_signed_by(&keys(key)), "{token}");
            assert!(!parsed.is_signed_by(&keys(other)), "{token}");
            assert_eq!((parsed.text("iss"), parsed.seconds("exp")), (Some("joe"), Some(1_300_819_380)));
        }
    }

    #[test]
    fn made_tokens_fit_their_key_only() {
        let (signer, other) = (JwtSigner::new().unwrap(), JwtSigner::new().unwrap());
        let Value::Object(claims) = json!({"sub": "a"}) else { unreachable!() };
        let token = signer.sign("k1", &claims).unwrap();
        let parsed = Jwt::parse(&token).unwrap();
        assert!(parsed.is_signed_by([&signer.public("k1")]));
        assert!(!parsed.is_signed_by([&signer.public("k2")]), "another kid");
        assert!(!parsed.is_signed_by([&other.public("k1")]), "another key");
        let (head, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = head.split_once('.').unwrap();
        let forged = format!("{header}.{}.{signature}", BASE64URL_NOPAD.encode(br#"{"sub":"b"}"#));
        assert!(!Jwt::parse(&forged).unwrap().is_signed_by([&signer.public("k1")]), "other claims");
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let encoded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        for algorithm in ["none", "HS256", "RS256", "es256"] {
            let token = format!("{}.{}.", encoded(&format!(r#"{{"alg":"{algorithm}"}}"#)), encoded("{}"));
            assert!(!Jwt::parse(&token).unwrap().is_signed_by(&keys(RFC_EC_KEY)), "{algorithm}");
        }
        for text in ["", "a", "a.b", "a.b.c", "e30.e30.", "....", "é.é.é"] {
            assert!(Jwt::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn keys_that_cannot_check_are_refused() {
        for key in [r#"{"kty": "oct", "k": "AAAA"}"#, r#"{"kty": "EC", "crv": "P-521"}"#, r#"{"kty": "RSA", "n": "!"}"#]
        {
            assert!(parse_keys(&format!(r#"{{"keys": [{key}]}}"#)).is_err(), "{key}");
        }
    }
}
