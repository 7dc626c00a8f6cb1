//! DPoP (RFC 9449): proofs that a client has the key that its session is bound to.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::crypto::jwk;
use crate::crypto::jwt::{self, Jwt};
use crate::protocol::request::HttpRequest;
use crate::protocol::timestamp;

/// How far `iat` may be from the server's time. AWS publishes no value. RFC 9449 says "seconds or minutes".
const WINDOW: Duration = Duration::from_secs(300);

/// A proof whose signature was verified with the key in its header.
#[derive(Debug)]
pub(crate) struct DpopProof {
    /// JWK thumbprint of the key (RFC 7638).
    pub(crate) thumbprint: String,
    method: String,
    url: String,
    id: String,
    issued_seconds: u64,
}

/// Proofs that were used, until their `iat` is too old to be accepted.
#[derive(Default)]
pub(crate) struct SeenProofs(HashMap<String, u64>);

/// Checks the `DPoP` header of a request in the order of RFC 9449, section 4.3, and records that it was used.
///
/// # Errors
/// The reason why the proof is invalid.
pub(crate) fn check(request: &HttpRequest, seen: &mut SeenProofs, now: SystemTime) -> Result<DpopProof, String> {
    let mut headers = request.header_values("dpop");
    let (Some(text), None) = (headers.next(), headers.next()) else {
        return Err("the request must have one DPoP header".into());
    };
    let proof = DpopProof::read(text)?;
    let host = request.header("host").unwrap_or_default();
    proof.is_for(&request.method, &format!("http://{host}{}", request.path), now)?;
    seen.take(&proof, now)?;
    Ok(proof)
}

impl DpopProof {
    /// Parses a proof and verifies its header and its signature.
    fn read(text: &str) -> Result<Self, String> {
        let token = Jwt::parse(text).ok_or("the proof isn't a JWT")?;
        if token.kind() != (Some("dpop+jwt"), "ES256") {
            return Err("the proof's header must have typ dpop+jwt and alg ES256".into());
        }
        let key = token.own_key().ok_or("the proof's header has no jwk")?;
        if key.contains_key("d") {
            return Err("the proof's jwk holds a private key".into());
        }
        let thumbprint = jwk::thumbprint(key).ok_or("the proof's jwk isn't a key on P-256")?;
        if !token.is_signed_by([&jwt::parse_key(key)?]) {
            return Err("the proof's signature isn't that of its jwk".into());
        }
        let text = |name: &str| {
            let found = token.text(name).filter(|value| !value.is_empty());
            found.map(str::to_owned).ok_or_else(|| format!("the proof has no {name}"))
        };
        Ok(Self {
            thumbprint,
            method: text("htm")?,
            url: text("htu")?,
            id: text("jti")?,
            issued_seconds: token.seconds("iat").ok_or("the proof has no iat")?,
        })
    }

    fn is_for(&self, method: &str, url: &str, now: SystemTime) -> Result<(), String> {
        if self.method != method {
            return Err(format!("the proof's htm isn't {method}"));
        }
        // "ignoring any query and fragment parts"
        if self.url.split(['?', '#']).next() != Some(url) {
            return Err(format!("the proof's htu isn't {url}"));
        }
        if self.issued_seconds.abs_diff(timestamp::unix_seconds(now)) > WINDOW.as_secs() {
            return Err("the proof's iat is too far from the server's time".into());
        }
        Ok(())
    }
}

impl SeenProofs {
    fn take(&mut self, proof: &DpopProof, now: SystemTime) -> Result<(), String> {
        let now = timestamp::unix_seconds(now);
        self.0.retain(|_, issued| issued.abs_diff(now) <= WINDOW.as_secs());
        match self.0.insert(format!("{} {}", proof.thumbprint, proof.id), proof.issued_seconds) {
            None => Ok(()),
            Some(_) => Err("the proof's jti was used already".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use serde_json::{Value, json};

    use super::*;
    use crate::crypto::device_key::DeviceKey;

    const URL: &str = "http://127.0.0.1:1/v1/token";
    /// RFC 9449, figure 2.
    const RFC: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Returns a proof by `key` after `spoil` changed its header and claims.
    fn made(key: &DeviceKey, spoil: impl FnOnce(&mut Value, &mut Value)) -> String {
        let mut header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk()});
        let mut claims = json!({"htm": "POST", "htu": URL, "jti": "j", "iat": 1000});
        spoil(&mut header, &mut claims);
        let encoded = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let signature = BASE64URL_NOPAD.encode(&key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn request(proofs: &[&str]) -> HttpRequest {
        let host = ("host".to_owned(), "127.0.0.1:1".to_owned());
        let proofs = proofs.iter().map(|proof| ("dpop".to_owned(), (*proof).to_owned()));
        HttpRequest {
            method: "POST".into(),
            path: "/v1/token".into(),
            query: String::new(),
            headers: std::iter::once(host).chain(proofs).collect(),
            body: vec![],
            connection: 0,
        }
    }

    #[test]
    fn the_example_of_rfc_9449() {
        let proof = DpopProof::read(RFC).unwrap();
        // Figure 10's `jkt`.
        assert_eq!(proof.thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        proof.is_for("POST", "https://server.example.com/token", at(1_562_262_616)).unwrap();
    }

    #[test]
    fn each_part_must_be_right() {
        let (key, other) = (DeviceKey::new().unwrap(), DeviceKey::new().unwrap());
        let fine = made(&key, |_, _| ());
        let error = |text: &str, now: u64| check(&request(&[text]), &mut SeenProofs::default(), at(now)).err();
        for now in [700, 1000, 1300] {
            assert_eq!(error(&fine, now), None, "at {now}");
        }
        assert_eq!(error(&made(&key, |_, claims| claims["htu"] = format!("{URL}?x#y").into()), 1000), None);
        let private = |header: &mut Value, _: &mut Value| header["jwk"]["d"] = "AAAA".into();
        for (text, now, expected) in [
            (fine.as_str(), 1301, "iat"),
            (&fine, 699, "iat"),
            (&made(&key, |header, _| header["typ"] = "JWT".into()), 1000, "typ"),
            (&made(&key, |header, _| header["alg"] = "none".into()), 1000, "alg"),
            (&made(&key, |header, _| header["jwk"] = Value::Null), 1000, "no jwk"),
            (&made(&key, |header, _| header["jwk"]["crv"] = "P-384".into()), 1000, "P-256"),
            (&made(&key, |header, _| header["jwk"]["x"] = "AAAA".into()), 1000, "P-256"),
            (&made(&key, private), 1000, "private"),
            (&made(&key, |header, _| header["jwk"] = Value::Object(other.jwk())), 1000, "signature"),
            (&made(&key, |_, claims| claims["htm"] = "GET".into()), 1000, "htm"),
            (&made(&key, |_, claims| claims["htu"] = "https://127.0.0.1:1/v1/token".into()), 1000, "htu"),
            (&made(&key, |_, claims| claims["htu"] = Value::Null), 1000, "no htu"),
            (&made(&key, |_, claims| claims["jti"] = "".into()), 1000, "no jti"),
            (&made(&key, |_, claims| claims["iat"] = "1000".into()), 1000, "no iat"),
            ("a.b.c", 1000, "JWT"),
        ] {
            let told = error(text, now);
            assert!(told.as_ref().is_some_and(|told| told.contains(expected)), "{expected}: {told:?}");
        }
        for proofs in [&[][..], &[fine.as_str(), fine.as_str()]] {
            let told = check(&request(proofs), &mut SeenProofs::default(), at(1000)).map(drop);
            assert_eq!(told, Err("the request must have one DPoP header".to_owned()));
        }
    }

    #[test]
    fn a_proof_is_taken_once() {
        let (key, mut seen) = (DeviceKey::new().unwrap(), SeenProofs::default());
        let (fine, other) = (made(&key, |_, _| ()), made(&key, |_, claims| claims["jti"] = "k".into()));
        let mut taken = |text: &str, now: u64| check(&request(&[text]), &mut seen, at(now)).is_ok();
        // A rejected proof doesn't use up its ID, nor does one of another key.
        assert!(!taken(&fine, 5000) && taken(&made(&DeviceKey::new().unwrap(), |_, _| ()), 1000));
        assert_eq!([taken(&fine, 1000), taken(&fine, 1299), taken(&other, 1299)], [true, false, true]);
    }
}
