//! Verification of AWS Signature Version 4.
//!
//! Implemented from "Create a signed AWS API request" (IAM User Guide) and deliberately without the SDK's signer: a
//! server that shares its code with the client would accept each of its mistakes.

use std::time::{Duration, SystemTime};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::crypto::secret::SecretValue;
use crate::protocol::error::{ApiError, MAX_SKEW};
use crate::protocol::request::HttpRequest;
use crate::protocol::timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request's signature and its scope, from the `Authorization` header or from a presigned URL.
#[derive(Debug)]
pub(crate) struct RequestSignature {
    /// ID of the key that signed the request.
    pub(crate) access_key_id: String,
    /// Session token, if the request has one.
    pub(crate) token: Option<SecretValue<String>>,
    date: String,
    region: String,
    service: String,
    signed_headers: Vec<String>,
    signature: Vec<u8>,
    stamp: String,
    /// Validity of a presigned URL.
    presigned_for: Option<Duration>,
}

impl RequestSignature {
    /// Parses the `Authorization` header, or the query string of a presigned request.
    ///
    /// # Errors
    /// The request isn't signed, or the signature can't be parsed. The messages are AWS's and list everything missing.
    pub(crate) fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        if let Some(header) = request.header("authorization") {
            return Self::from_header(request, header);
        }
        if request.query_value("X-Amz-Signature").is_some() {
            return Self::from_query(request);
        }
        Err(ApiError::missing_token())
    }

    fn from_header(request: &HttpRequest, header: &str) -> Result<Self, ApiError> {
        let Some(fields) = header.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' ')) else {
            return Err(ApiError::incomplete_signature(format!(
                "Unsupported AWS 'algorithm': '{}'.",
                header.split(' ').next().unwrap_or_default()
            )));
        };
        if let Some(odd) = fields.split([',', ' ']).find(|part| !part.is_empty() && !part.contains('=')) {
            return Err(ApiError::incomplete_signature(format!(
                "'{odd}' not a valid key=value pair (missing equal-sign) in Authorization header: '{header}'."
            )));
        }
        let field = |name: &str| {
            fields.split(',').filter_map(|part| part.trim().split_once('=')).find(|(key, _)| *key == name).map(|f| f.1)
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
            return Err(ApiError::incomplete_signature(missing.trim_end()));
        };
        let token = request.header("x-amz-security-token").map(str::to_owned);
        Self::assemble(credential, signature, signed, stamp, token, None)
    }

    fn from_query(request: &HttpRequest) -> Result<Self, ApiError> {
        let field = |name: &str| {
            request.query_value(name).ok_or_else(|| {
                ApiError::incomplete_signature(format!("AWS query-string parameters must include '{name}'."))
            })
        };
        let seconds = field("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=604_800).contains(seconds));
        let seconds = seconds.ok_or_else(|| ApiError::incomplete_signature("X-Amz-Expires must be 1 to 604800"))?;
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
    ) -> Result<Self, ApiError> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = parts[..] else {
            return Err(ApiError::incomplete_signature(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
            )));
        };
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            token: token.map(SecretValue::new),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            // A text that isn't hexadecimal never matches. It gets the message of any other wrong signature.
            signature: HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).unwrap_or_default(),
            stamp: stamp.to_owned(),
            presigned_for,
        })
    }

    /// Checks everything except the signature itself: scope, times and signed headers.
    ///
    /// # Errors
    /// `SignatureDoesNotMatch` or `IncompleteSignature`, with AWS's message for the rule.
    pub(crate) fn check_scope(&self, request: &HttpRequest, service: &str, now: SystemTime) -> Result<(), ApiError> {
        let signed_at = timestamp::parse_basic(&self.stamp).ok_or_else(|| {
            ApiError::incomplete_signature(format!(
                "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                self.stamp
            ))
        })?;
        if self.service != service {
            return Err(ApiError::signature(format!("Credential should be scoped to correct service: '{service}'. ")));
        }
        if !is_region(&self.region) {
            return Err(ApiError::signature("Credential should be scoped to a valid region. "));
        }
        if !self.stamp.starts_with(&self.date) || self.date.len() != 8 {
            return Err(ApiError::signature(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{}'.",
                self.date,
                &self.stamp[..8],
                self.stamp
            )));
        }
        if now > signed_at + self.presigned_for.unwrap_or(MAX_SKEW) {
            return Err(ApiError::signed_too_early(signed_at, now));
        }
        if signed_at > now + MAX_SKEW {
            return Err(ApiError::signed_too_late(signed_at, now));
        }
        if !self.signs("host") {
            return Err(ApiError::signature(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        match request.headers.iter().find(|(name, _)| name.starts_with("x-amz-") && !self.signs(name)) {
            Some((name, _)) => {
                Err(ApiError::signature(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")))
            }
            None => Ok(()),
        }
    }

    fn signs(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|name| name == header)
    }

    /// Returns whether this secret gives the same signature. The comparison takes constant time.
    pub(crate) fn matches(&self, request: &HttpRequest, secret: &SecretValue<String>) -> bool {
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

    fn canonical(&self, request: &HttpRequest) -> String {
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

/// Returns whether a text has the form of a region name. The server doesn't know which regions exist.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let (Some(number), true) = (parts.last(), parts.len() >= 3) else {
        return false;
    };
    let words = &parts[..parts.len() - 1];
    number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
        && words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

/// Returns the path, encoded once more. All services except S3 sign it like this.
fn canonical_path(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(|part| utf8_percent_encode(part, UNRESERVED).to_string()).collect();
    parts.join("/")
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key != "X-Amz-Signature")
        .map(|(key, value)| {
            (utf8_percent_encode(&key, UNRESERVED).to_string(), utf8_percent_encode(&value, UNRESERVED).to_string())
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
}

fn keyed(key: &[u8], text: &str) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn request(query: &str, headers: &[(&str, &str)]) -> HttpRequest {
        HttpRequest {
            method: "GET".into(),
            path: "/".into(),
            query: query.into(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: vec![],
            connection: 1,
        }
    }

    /// Returns `get-vanilla` of AWS's SigV4 test suite with this scope and signature.
    fn vanilla(scope: &str, signature: &str) -> HttpRequest {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature={signature}"
        );
        request(
            "",
            &[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", &authorization)],
        )
    }

    const VANILLA_SCOPE: &str = "20150830/us-east-1/service";
    const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    fn signed_at() -> SystemTime {
        timestamp::parse_basic("20150830T123600Z").unwrap()
    }

    #[test]
    fn aws_vectors() {
        let secret = SecretValue::new(SECRET.to_owned());
        let vanilla = vanilla(VANILLA_SCOPE, VANILLA);
        assert!(RequestSignature::read(&vanilla).unwrap().matches(&vanilla, &secret));
        // The example in "Signing AWS requests": ListUsers.
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let list_users = request(
            "Action=ListUsers&Version=2010-05-08",
            &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                ("authorization", authorization),
            ],
        );
        let claim = RequestSignature::read(&list_users).unwrap();
        assert!(claim.matches(&list_users, &secret));
        assert!(!claim.matches(&list_users, &SecretValue::new("another".into())));
        for change in [
            |request: &mut HttpRequest| request.query.push_str("&X=1"),
            |request: &mut HttpRequest| request.body.push(b'x'),
            |request: &mut HttpRequest| request.method = "POST".into(),
            |request: &mut HttpRequest| request.headers[1].1 = "sts.amazonaws.com".into(),
        ] {
            let mut changed = HttpRequest { headers: list_users.headers.clone(), ..request(&list_users.query, &[]) };
            change(&mut changed);
            assert!(!claim.matches(&changed, &secret), "{} {}", changed.method, changed.query);
        }
    }

    #[test]
    fn times_and_scopes() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (scope, now, expected) in [
            (VANILLA_SCOPE, signed_at() + minutes(15), None),
            (VANILLA_SCOPE, signed_at() - minutes(15), None),
            (
                VANILLA_SCOPE,
                signed_at() + minutes(20),
                Some(
                    "Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z (20150830T125600Z - 15 min.)",
                ),
            ),
            (
                VANILLA_SCOPE,
                signed_at() - minutes(20),
                Some(
                    "Signature not yet current: 20150830T123600Z is still later than 20150830T123100Z (20150830T121600Z + 15 min.)",
                ),
            ),
            ("20150830/us-east-1/s3", signed_at(), Some("scoped to correct service: 'service'")),
            ("20150830/aws-global/service", signed_at(), Some("scoped to a valid region")),
            ("20150831/us-east-1/service", signed_at(), Some("'20150831' != '20150830'")),
        ] {
            let request = vanilla(scope, VANILLA);
            let result = RequestSignature::read(&request).unwrap().check_scope(&request, "service", now);
            match (result, expected) {
                (Ok(()), None) => {}
                (Err(error), Some(text)) => {
                    assert_eq!(error.code, "SignatureDoesNotMatch");
                    assert!(error.message.contains(text), "{}", error.message);
                }
                (result, expected) => panic!("{scope}: {result:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn unsigned_amz_headers_are_refused() {
        let mut request = vanilla(VANILLA_SCOPE, VANILLA);
        request.headers.push(("x-amz-security-token".into(), "t".into()));
        let error =
            RequestSignature::read(&request).unwrap().check_scope(&request, "service", signed_at()).unwrap_err();
        assert!(error.message.contains("x-amz-security-token"), "{}", error.message);
    }

    #[test]
    fn headers_that_cannot_be_read() {
        for (authorization, code, text) in [
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request", "IncompleteSignature", "requires 'Signature'"),
            ("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0", "IncompleteSignature", "exactly 5"),
            (
                "AWS4-HMAC-SHA256 Credential= a/b, SignedHeaders=host, Signature=0",
                "IncompleteSignature",
                "'a/b' not a valid key=value pair (missing equal-sign)",
            ),
            ("Basic YTpi", "IncompleteSignature", "Unsupported AWS 'algorithm': 'Basic'"),
            ("", "IncompleteSignature", "Unsupported"),
        ] {
            let request = request("", &[("authorization", authorization), ("x-amz-date", "20150830T123600Z")]);
            let error = RequestSignature::read(&request).unwrap_err();
            assert_eq!(error.code, code);
            assert!(error.message.contains(text), "{}", error.message);
        }
        assert_eq!(RequestSignature::read(&request("", &[])).unwrap_err().code, "MissingAuthenticationToken");
    }
}
