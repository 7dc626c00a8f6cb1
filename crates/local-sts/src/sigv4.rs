//! AWS's request signatures, version 4, from the checking side.
//!
//! Written from AWS's "Create a signed AWS API request" and on purpose not with the SDK's signer: a server that shares
//! its code with the client would agree with each of its mistakes.

use std::time::{Duration, SystemTime};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::refusal::{MAX_SKEW, Refusal};
use crate::request::Request;
use crate::secret::Secret;
use crate::stamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who a request says it is from, and the signature that is to prove it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The key that it was signed with.
    pub(crate) access_key_id: String,
    /// The session's token, if one was sent.
    pub(crate) token: Option<Secret<String>>,
    date: String,
    region: String,
    service: String,
    signed_headers: Vec<String>,
    signature: Vec<u8>,
    stamp: String,
    /// Set when the signature came in the query string.
    presigned_for: Option<Duration>,
}

impl Claim {
    /// Reads the claim from the `Authorization` header, or from the query string of a presigned request.
    ///
    /// # Errors
    /// There is none, or it can't be read; AWS's texts list everything that is missing.
    pub(crate) fn read(request: &Request) -> Result<Self, Refusal> {
        if let Some(header) = request.header("authorization") {
            return Self::from_header(request, header);
        }
        if request.query_value("X-Amz-Signature").is_some() {
            return Self::from_query(request);
        }
        Err(Refusal::missing_token())
    }

    fn from_header(request: &Request, header: &str) -> Result<Self, Refusal> {
        let Some(fields) = header.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' ')) else {
            return Err(Refusal::incomplete_signature(format!(
                "Unsupported AWS 'algorithm': '{}'.",
                header.split(' ').next().unwrap_or_default()
            )));
        };
        let field = |name: &str| {
            fields
                .split(',')
                .filter_map(|part| part.trim().split_once('='))
                .find(|(key, _)| *key == name)
                .map(|f| f.1)
        };
        let stamp = request.header("x-amz-date");
        let mut missing = String::new();
        for name in ["Credential", "Signature", "SignedHeaders"] {
            if field(name).is_none() {
                missing.push_str(&format!("Authorization header requires '{name}' parameter. "));
            }
        }
        if stamp.is_none() {
            missing.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
        }
        let (Some(credential), Some(signature), Some(signed), Some(stamp)) =
            (field("Credential"), field("Signature"), field("SignedHeaders"), stamp)
        else {
            return Err(Refusal::incomplete_signature(missing.trim_end()));
        };
        let token = request.header("x-amz-security-token").map(str::to_owned);
        Self::assemble(credential, signature, signed, stamp, token, None)
    }

    fn from_query(request: &Request) -> Result<Self, Refusal> {
        let field = |name: &str| {
            request.query_value(name).ok_or_else(|| {
                Refusal::incomplete_signature(format!("AWS query-string parameters must include '{name}'."))
            })
        };
        let seconds = field("X-Amz-Expires")?
            .parse()
            .ok()
            .filter(|seconds| (1..=604_800).contains(seconds));
        let seconds = seconds.ok_or_else(|| Refusal::incomplete_signature("X-Amz-Expires must be 1 to 604800"))?;
        Self::assemble(
            &field("X-Amz-Credential")?,
            &field("X-Amz-Signature")?,
            &field("X-Amz-SignedHeaders")?,
            &field("X-Amz-Date")?,
            request.query_value("X-Amz-Security-Token"),
            Some(Duration::from_secs(seconds)),
        )
    }

    fn assemble(
        credential: &str,
        signature: &str,
        signed_headers: &str,
        stamp: &str,
        token: Option<String>,
        presigned_for: Option<Duration>,
    ) -> Result<Self, Refusal> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = parts[..] else {
            return Err(Refusal::incomplete_signature(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
            )));
        };
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            token: token.map(Secret::new),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            // What isn't hexadecimal can't match; it is refused with the same words as any other wrong signature.
            signature: HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).unwrap_or_default(),
            stamp: stamp.to_owned(),
            presigned_for,
        })
    }

    /// Checks everything but the signature itself: scope, times, and that what matters was signed.
    ///
    /// # Errors
    /// With AWS's text for each of the rules.
    pub(crate) fn check_scope(&self, request: &Request, service: &str, now: SystemTime) -> Result<(), Refusal> {
        let signed_at = stamp::parse_basic(&self.stamp).ok_or_else(|| {
            Refusal::incomplete_signature(format!(
                "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                self.stamp
            ))
        })?;
        if self.service != service {
            return Err(Refusal::signature(format!(
                "Credential should be scoped to correct service: '{service}'. "
            )));
        }
        if !is_region(&self.region) {
            return Err(Refusal::signature("Credential should be scoped to a valid region. "));
        }
        if !self.stamp.starts_with(&self.date) || self.date.len() != 8 {
            return Err(Refusal::signature(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{}'.",
                self.date,
                &self.stamp[..8],
                self.stamp
            )));
        }
        if now > signed_at + self.presigned_for.unwrap_or(MAX_SKEW) {
            return Err(Refusal::signed_too_early(signed_at, now));
        }
        if signed_at > now + MAX_SKEW {
            return Err(Refusal::signed_too_late(signed_at, now));
        }
        if !self.signs("host") {
            return Err(Refusal::signature(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        match request
            .headers
            .iter()
            .find(|(name, _)| name.starts_with("x-amz-") && !self.signs(name))
        {
            Some((name, _)) => Err(Refusal::signature(format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            ))),
            None => Ok(()),
        }
    }

    fn signs(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|name| name == header)
    }

    /// Whether the signature is the one that this secret gives; compared in constant time.
    pub(crate) fn matches(&self, request: &Request, secret: &Secret<String>) -> bool {
        let text = format!(
            "{ALGORITHM}\n{}\n{}/{}/{}/aws4_request\n{}",
            self.stamp,
            self.date,
            self.region,
            self.service,
            HEXLOWER.encode(&Sha256::digest(self.canonical(request).as_bytes()))
        );
        let mut key = format!("AWS4{}", secret.expose()).into_bytes();
        for part in [&self.date, &self.region, &self.service, "aws4_request"] {
            key = keyed(&key, part).finalize().into_bytes().to_vec();
        }
        keyed(&key, &text).verify_slice(&self.signature).is_ok()
    }

    fn canonical(&self, request: &Request) -> String {
        let mut headers = String::new();
        for name in &self.signed_headers {
            let values: Vec<String> = request
                .header_values(name)
                .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method,
            canonical_path(&request.path),
            canonical_query(&request.query),
            self.signed_headers.join(";"),
            HEXLOWER.encode(&Sha256::digest(&request.body))
        )
    }
}

/// Region names as AWS forms them; which of them exist isn't known here, and every one of them ends at this server.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let (Some(number), true) = (parts.last(), parts.len() >= 3) else {
        return false;
    };
    let words = &parts[..parts.len() - 1];
    number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
        && words
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

/// Every service but S3 signs the path as sent, encoded once more.
fn canonical_path(path: &str) -> String {
    let parts: Vec<String> = path
        .split('/')
        .map(|part| utf8_percent_encode(part, UNRESERVED).to_string())
        .collect();
    parts.join("/")
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key != "X-Amz-Signature")
        .map(|(key, value)| {
            (
                utf8_percent_encode(&key, UNRESERVED).to_string(),
                utf8_percent_encode(&value, UNRESERVED).to_string(),
            )
        })
        .collect();
    pairs.sort();
    pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

fn keyed(key: &[u8], text: &str) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac.update(text.as_bytes());
    mac
}
