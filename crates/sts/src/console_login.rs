//! Console sessions of `aws login`: their credentials are in a token file, and AWS Sign-In renews them.

use std::time::{Duration, SystemTime};

use aws_sdk_signin::types::{CreateOAuth2TokenRequestBody, OAuth2ErrorCode};
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::aws::parameters::Region;
use awsrole_core::aws::source::ConsoleLogin;
use awsrole_core::aws::time::rfc3339;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::session::advice::{NO_CA_BUNDLE, suspects};
use awsrole_core::session::sts::StsError;
use data_encoding::BASE64URL_NOPAD;
use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use serde_json::json;

use crate::token_file::{NoToken, TokenFile};
use crate::{ATTEMPTS, RemoteSts};

/// The time before their expiration at which credentials are renewed (botocore, `LoginCredentialFetcher`).
const RENEWAL_WINDOW: Duration = Duration::from_secs(5 * 60);

/// Returns the session's credentials. Credentials that expire soon are renewed. If that fails, they are used until they
/// expire.
///
/// # Errors
/// Fails if the user isn't signed in, if the sign-in has ended or can't be renewed, or if there is no response.
pub(crate) fn credentials(sts: &RemoteSts<'_>, login: &ConsoleLogin) -> Result<Credentials, Problem> {
    let no_token = |no: NoToken| match no {
        NoToken::Missing => no_credentials(login).because("the user hasn't signed in yet").hint(sign_in(login)),
        NoToken::Unusable(why) => no_credentials(login).because(why).hint(sign_in(login)),
    };
    let mut file = TokenFile::read(&login.token_file).map_err(no_token)?;
    let (credentials, end) = in_file(&file, sts.now()).map_err(no_token)?;
    let left = end.duration_since(sts.now()).unwrap_or_default();
    if left > RENEWAL_WINDOW {
        return Ok(credentials);
    }
    match renew(sts, login, &mut file) {
        Ok(()) => Ok(in_file(&file, sts.now()).map_err(no_token)?.0),
        Err(_) if !left.is_zero() => Ok(credentials),
        Err(NotRenewed::File(no)) => Err(no_token(no)),
        Err(NotRenewed::Refused(error, code)) => Err(refusal(login, &error, code.as_ref())),
    }
}

/// Returns the credentials in a file and their expiration.
fn in_file(file: &TokenFile<'_>, now: SystemTime) -> Result<(Credentials, SystemTime), NoToken> {
    let end = file.time("accessToken.expiresAt")?;
    let credentials = Credentials {
        access_key_id: file.text("accessToken.accessKeyId")?.to_owned(),
        secret_access_key: Secret::new(file.text("accessToken.secretAccessKey")?),
        session_token: Some(Secret::new(file.text("accessToken.sessionToken")?)),
        issued: now,
        expiration: Some(end),
        arn: None,
    };
    Ok((credentials, end))
}

enum NotRenewed {
    File(NoToken),
    Refused(StsError, Option<OAuth2ErrorCode>),
}

impl From<StsError> for NotRenewed {
    fn from(error: StsError) -> Self {
        Self::Refused(error, None)
    }
}

impl From<NoToken> for NotRenewed {
    fn from(no: NoToken) -> Self {
        Self::File(no)
    }
}

/// Renews the credentials in the file. The refresh token in it can be used once, and the response contains the next
/// one.
fn renew(sts: &RemoteSts<'_>, login: &ConsoleLogin, file: &mut TokenFile<'_>) -> Result<(), NotRenewed> {
    let key = SecretKey::from_sec1_pem(file.text("dpopKey")?)
        .map_err(|_| file.unusable(&"has an invalid `dpopKey`: it isn't a P-256 private key (PEM)"))?;
    let body = CreateOAuth2TokenRequestBody::builder()
        .client_id(file.text("clientId")?)
        .grant_type("refresh_token")
        .refresh_token(file.text("refreshToken")?)
        .build()
        .map_err(|error| StsError::Malformed(error.to_string()))?;
    let endpoint = endpoint(login, file)?;
    let (client, now) = (sts.client()?.sign_in(&endpoint, ATTEMPTS)?, sts.now());
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
                aws_sdk_signin::operation::create_o_auth2_token::CreateOAuth2TokenError::AccessDeniedException(no) => {
                    Some(no.error.clone())
                }
                _ => None,
            });
        })
    };
    let answer = sts.named("AWS Sign-In", &endpoint, call);
    let answer = answer.map_err(|error| NotRenewed::Refused(error, code))?.token_output;
    let answer = answer.ok_or_else(|| StsError::Malformed("the response contains no token".to_owned()))?;
    let given = answer.access_token.as_ref();
    let given = given.ok_or_else(|| StsError::Malformed("the response contains no credentials".to_owned()))?;
    let lasts = Duration::from_secs(u64::try_from(answer.expires_in).unwrap_or_default());
    let end = now.checked_add(lasts).unwrap_or(SystemTime::UNIX_EPOCH);
    file.set(json!({
        "accessToken": {
            "accessKeyId": given.access_key_id,
            "secretAccessKey": given.secret_access_key,
            "sessionToken": given.session_token,
            "accountId": file.optional("accessToken.accountId"),
            "expiresAt": rfc3339(end),
        },
        "refreshToken": answer.refresh_token,
    }));
    if let Some(token) = answer.id_token {
        file.set(json!({ "idToken": token }));
    }
    file.write_or_notice(sts);
    Ok(())
}

/// Returns the endpoint that renews the session: in the region where it was created, which newer tokens contain
/// (botocore, `LoginCredentialFetcher`).
fn endpoint(login: &ConsoleLogin, file: &TokenFile<'_>) -> Result<Endpoint, NoToken> {
    let mut endpoint = login.endpoint.clone();
    if let Some(region) = file.optional("signInRegion") {
        endpoint.region =
            Region::parse(region).map_err(|why| file.unusable(&format!("has an invalid `signInRegion`: it {why}")))?;
    }
    Ok(endpoint)
}

/// Creates a proof of possession of the key for one request (RFC 9449, "DPoP").
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

fn no_credentials(login: &ConsoleLogin) -> Problem {
    Problem::new(format!("cannot get credentials from the console session of {}", login.session))
}

fn sign_in(login: &ConsoleLogin) -> String {
    format!("sign in: `aws login --profile {}`", login.profile)
}

/// Returns the error of AWS Sign-In.
fn refusal(login: &ConsoleLogin, error: &StsError, code: Option<&OAuth2ErrorCode>) -> Problem {
    let problem = no_credentials(login);
    match code {
        Some(OAuth2ErrorCode::InsufficientPermissions) => problem
            .because("the user has no permission to renew it")
            .hint("the user's policies must allow signin:CreateOAuth2Token"),
        Some(OAuth2ErrorCode::TokenExpired) => problem.because("the sign-in has expired").hint(sign_in(login)),
        Some(OAuth2ErrorCode::UserCredentialsChanged) => {
            problem.because("the user's password was changed").hint(sign_in(login))
        }
        _ => {
            let problem = problem.because(error);
            match error {
                StsError::Refused { .. } => problem.hint(sign_in(login)),
                StsError::Trust(_) => problem.hint(NO_CA_BUNDLE),
                _ => problem.hint(format!("check {}; or {}", suspects(error), sign_in(login))),
            }
        }
    }
}
