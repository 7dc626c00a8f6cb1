//! Console sessions of `aws login` and `awsrole login`: their credentials are in a token file, and AWS Sign-In renews
//! them.

mod exchange;
mod sign_in;

use std::time::{Duration, SystemTime};

use aws_sdk_signin::types::{CreateOAuth2TokenRequestBody, OAuth2ErrorCode};
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::aws::parameters::Region;
use awsrole_core::aws::source::{ConsoleLogin, SourceError};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::session::advice::{NO_CA_BUNDLE, suspects};
use awsrole_core::session::sts::StsError;
use p256::SecretKey;

use crate::token_file::{NoToken, TokenFile};
use crate::{ATTEMPTS, RemoteSts};
use exchange::{SignInRefusal, exchange};

pub use sign_in::{ConsoleBrowser, pasted_code, sign_in_to_console};

/// The time before their expiration at which credentials are renewed (botocore, `LoginCredentialFetcher`).
const RENEWAL_WINDOW: Duration = Duration::from_secs(5 * 60);

/// Returns the session's credentials. Credentials that expire soon are renewed. If that fails, they are used until they
/// expire.
///
/// # Errors
/// Fails if the user isn't signed in, if the sign-in has ended or can't be renewed, or if there is no response.
pub(crate) fn credentials(sts: &RemoteSts<'_>, login: &ConsoleLogin) -> Result<Credentials, SourceError> {
    let no_token = |no: NoToken| match no {
        NoToken::Missing => {
            let problem = no_credentials(login).because("the user hasn't signed in yet");
            SourceError::SignedOut(problem.hint(sign_in_hint(login)))
        }
        NoToken::Unusable(why) => no_credentials(login).because(why).hint(sign_in_hint(login)).into(),
    };
    let file = TokenFile::read(&login.token_file).map_err(no_token)?;
    let (credentials, end) = in_file(&file, sts.now()).map_err(no_token)?;
    if !is_due(end, sts.now()) {
        return Ok(credentials);
    }
    match renew(sts, login) {
        Ok(credentials) => Ok(credentials),
        Err(_) if end > sts.now() => Ok(credentials),
        Err(NotRenewed::File(no)) => Err(no_token(no)),
        Err(NotRenewed::Refused(refusal)) => Err(refused(login, &refusal)),
    }
}

/// Returns whether credentials must be renewed before they are used.
fn is_due(end: SystemTime, now: SystemTime) -> bool {
    end.duration_since(now).unwrap_or_default() <= RENEWAL_WINDOW
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
        size_percent: None,
        arn: None,
    };
    Ok((credentials, end))
}

enum NotRenewed {
    File(NoToken),
    Refused(SignInRefusal),
}

impl From<NoToken> for NotRenewed {
    fn from(no: NoToken) -> Self {
        Self::File(no)
    }
}

/// Renews the credentials in the file. The refresh token in it can be used once, and the response contains the next
/// one.
fn renew(sts: &RemoteSts<'_>, login: &ConsoleLogin) -> Result<Credentials, NotRenewed> {
    let _lock = TokenFile::lock(&login.token_file)?;
    let mut file = TokenFile::read(&login.token_file)?;
    let (credentials, end) = in_file(&file, sts.now())?;
    // Another process may have renewed them.
    if !is_due(end, sts.now()) {
        return Ok(credentials);
    }
    let key = SecretKey::from_sec1_pem(file.text("dpopKey")?)
        .map_err(|_| file.unusable(&"has an invalid `dpopKey`: it isn't a P-256 private key (PEM)"))?;
    let used = Secret::new(file.text("refreshToken")?);
    let body = CreateOAuth2TokenRequestBody::builder()
        .client_id(file.text("clientId")?)
        .grant_type("refresh_token")
        .refresh_token(used.expose())
        .build()
        .map_err(|error| NotRenewed::Refused(StsError::Malformed(error.to_string()).into()))?;
    let endpoint = endpoint(login, &file)?;
    let given = exchange(sts, &endpoint, &key, body, ATTEMPTS).map_err(NotRenewed::Refused)?;
    let fields = given.fields(file.optional("accessToken.accountId"), sts.now());
    file.set(fields);
    file.replace(used.expose(), sts);
    Ok(in_file(&file, sts.now())?.0)
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

fn no_credentials(login: &ConsoleLogin) -> Problem {
    Problem::new(format!("cannot get credentials from the console session of {}", login.session))
}

fn sign_in_hint(login: &ConsoleLogin) -> String {
    format!("sign in with `awsrole login` or `aws login --profile {}`", login.profile)
}

/// Returns the error of AWS Sign-In.
fn refused(login: &ConsoleLogin, SignInRefusal(error, code): &SignInRefusal) -> SourceError {
    let problem = no_credentials(login);
    match code {
        Some(OAuth2ErrorCode::InsufficientPermissions) => problem
            .because("the user has no permission to renew it")
            .hint("the user's policies must allow signin:CreateOAuth2Token")
            .into(),
        Some(OAuth2ErrorCode::TokenExpired) => {
            SourceError::SignedOut(problem.because("the sign-in has expired").hint(sign_in_hint(login)))
        }
        Some(OAuth2ErrorCode::UserCredentialsChanged) => {
            SourceError::SignedOut(problem.because("the user's password was changed").hint(sign_in_hint(login)))
        }
        _ => {
            let problem = problem.because(error);
            SourceError::Failed(match error {
                StsError::Refused { .. } => problem.hint(sign_in_hint(login)),
                StsError::Trust(_) => problem.hint(NO_CA_BUNDLE),
                _ => problem.hint(format!("check {}; or {}", suspects(error), sign_in_hint(login))),
            })
        }
    }
}
