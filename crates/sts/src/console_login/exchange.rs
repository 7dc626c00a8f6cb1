//! The token call of AWS Sign-In, with a proof of possession of the sign-in's key (RFC 9449, "DPoP").

use std::time::{Duration, SystemTime};

use aws_sdk_signin::operation::create_o_auth2_token::CreateOAuth2TokenError;
use aws_sdk_signin::types::{CreateOAuth2TokenRequestBody, CreateOAuth2TokenResponseBody, OAuth2ErrorCode};
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::aws::time::rfc3339;
use awsrole_core::session::sts::StsError;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::RemoteSts;

/// A refusal: the error, and the code with which AWS Sign-In explains it.
pub(super) struct SignInRefusal(pub(super) StsError, pub(super) Option<OAuth2ErrorCode>);

impl From<StsError> for SignInRefusal {
    fn from(error: StsError) -> Self {
        Self(error, None)
    }
}

/// The credentials and tokens in a response.
pub(super) struct Exchanged(CreateOAuth2TokenResponseBody);

/// Exchanges an authorization code or a refresh token.
pub(super) fn exchange(
    sts: &RemoteSts<'_>,
    endpoint: &Endpoint,
    key: &SecretKey,
    body: CreateOAuth2TokenRequestBody,
    attempts: u32,
) -> Result<Exchanged, SignInRefusal> {
    let (client, key, now) = (sts.client()?.sign_in(endpoint, attempts)?, key.clone(), sts.now());
    let mut code = None;
    let call = async {
        let call = client.create_o_auth2_token().token_input(body).customize();
        let answer = call.mutate_request(move |request| {
            if let Some(proof) = proof(&key, request.uri(), now) {
                request.headers_mut().insert("dpop", proof);
            }
        });
        answer.send().await.inspect_err(|error| {
            code = error.as_service_error().and_then(|error| match error {
                CreateOAuth2TokenError::AccessDeniedException(no) => Some(no.error.clone()),
                _ => None,
            });
        })
    };
    let answer = sts.named("AWS Sign-In", endpoint, call);
    let answer = answer.map_err(|error| SignInRefusal(error, code))?.token_output;
    match answer {
        Some(answer) if answer.access_token.is_some() => Ok(Exchanged(answer)),
        Some(_) => Err(StsError::Malformed("the response contains no credentials".to_owned()).into()),
        None => Err(StsError::Malformed("the response contains no token".to_owned()).into()),
    }
}

impl Exchanged {
    /// Returns the ID token, which only the response to an authorization code contains.
    pub(super) fn id_token(&self) -> Option<&str> {
        self.0.id_token.as_deref()
    }

    /// Returns the fields of the token file that every response replaces.
    pub(super) fn fields(&self, account: Option<&str>, now: SystemTime) -> Value {
        let lasts = Duration::from_secs(u64::try_from(self.0.expires_in).unwrap_or_default());
        let end = now.checked_add(lasts).unwrap_or(SystemTime::UNIX_EPOCH);
        let given = self.0.access_token.as_ref();
        let mut fields = json!({
            "accessToken": {
                "accessKeyId": given.map(|given| &given.access_key_id),
                "secretAccessKey": given.map(|given| &given.secret_access_key),
                "sessionToken": given.map(|given| &given.session_token),
                "accountId": account,
                "expiresAt": rfc3339(end),
            },
            "refreshToken": self.0.refresh_token,
        });
        if let Some(token) = self.id_token() {
            fields["idToken"] = token.into();
            fields["tokenType"] = self.0.token_type.as_str().into();
        }
        fields
    }
}

/// Generates a key. Returns `None` if the system has no randomness.
pub(super) fn generate_key() -> Option<SecretKey> {
    let mut bytes = Zeroizing::new([0; 32]);
    // A random number is outside the curve's order once in 2³² times.
    (0..3).find_map(|_| {
        getrandom::fill(&mut *bytes).ok()?;
        SecretKey::from_slice(&*bytes).ok()
    })
}

/// Formats a key as the AWS CLI does (`_serialize_to_pem`): RFC 5915 as PEM.
///
/// Unlike the PEM of the crate `p256`, it contains the name of the curve, which botocore requires.
pub(super) fn pem(key: &SecretKey) -> Zeroizing<String> {
    const HEAD: [u8; 7] = [0x30, 0x77, 2, 1, 1, 4, 32];
    const CURVE: [u8; 12] = [0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    const POINT: [u8; 5] = [0xa1, 0x44, 3, 0x42, 0];
    let (number, point) = (Zeroizing::new(key.to_bytes()), key.public_key().to_encoded_point(false));
    let der = Zeroizing::new([&HEAD[..], &number[..], &CURVE, &POINT, point.as_bytes()].concat());
    let text = Zeroizing::new(BASE64.encode(&der));
    let mut pem = Zeroizing::new(String::with_capacity(256));
    pem.push_str("-----BEGIN EC PRIVATE KEY-----\n");
    for at in (0..text.len()).step_by(64) {
        pem.push_str(&text[at..text.len().min(at + 64)]);
        pem.push('\n');
    }
    pem.push_str("-----END EC PRIVATE KEY-----\n");
    pem
}

/// Creates a proof of possession of the key for one request.
fn proof(key: &SecretKey, uri: &str, now: SystemTime) -> Option<String> {
    let point = key.public_key().to_encoded_point(false);
    let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let mut id = [0; 16];
    getrandom::fill(&mut id).ok()?;
    let header = json!({
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": { "kty": "EC", "crv": "P-256", "x": encode(point.x()?), "y": encode(point.y()?) },
    });
    let claims = json!({
        "jti": encode(&id),
        "htm": "POST",
        "htu": uri,
        "iat": now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs(),
    });
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature: Signature = SigningKey::from(key).sign(signed.as_bytes());
    Some(format!("{signed}.{}", encode(&signature.to_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_survives_its_pem() {
        let key = generate_key().unwrap();
        let pem = pem(&key);
        assert_eq!(SecretKey::from_sec1_pem(&pem).unwrap(), key);
        assert!(pem.starts_with("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI"), "as the CLI's, with the curve");
        assert!(pem.lines().all(|line| line.len() <= 64));
    }
}
