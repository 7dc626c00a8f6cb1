//! Sign-in with the authorization code grant and PKCE.

use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use data_encoding::BASE64URL_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::registration::{Flow, Registration};
use super::token::store;
use crate::{ATTEMPTS, RemoteSts};

/// All characters except for the unreserved ones (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The request that the user authorizes in the browser.
pub struct AuthorizationRequest {
    /// The URL of the sign-in page. It contains the state.
    pub url: String,
    /// The random value that the browser must bring back.
    pub state: String,
}

/// Signs in with a browser on this machine, and stores the token for awsrole, the AWS CLI and the SDKs.
///
/// `redirect_uri` is the loopback address to which the browser returns. `authorize` opens the browser, waits for its
/// return, and returns the authorization code. Returns the access token.
///
/// # Errors
/// Fails if the request is refused, with the error of `authorize`, and if the token file can't be written.
pub fn sign_in_by_code(
    sts: &RemoteSts<'_>,
    session: &SsoSession,
    redirect_uri: &str,
    authorize: &dyn Fn(&AuthorizationRequest) -> Result<Secret, Problem>,
) -> Result<Secret, Problem> {
    let oidc = |attempts| {
        let client = sts.client().and_then(|client| client.sso_oidc(&session.oidc, attempts));
        client.map_err(|error| session.failure(error))
    };
    let registration = Registration::obtain(sts, &oidc(ATTEMPTS)?, session, Flow::AuthorizationCode)?;
    let [verifier, state] = [random()?, random()?];
    let url = authorization_url(session, &registration.id, redirect_uri, &state, &verifier);
    let signed_in = authorize(&AuthorizationRequest { url, state }).and_then(|code| {
        // A code can be used once, so a second attempt would fail and hide the error of the first.
        let call = oidc(1)?
            .create_token()
            .client_id(&registration.id)
            .client_secret(registration.secret.expose())
            .grant_type("authorization_code")
            .code(code.expose())
            .code_verifier(&verifier)
            .redirect_uri(redirect_uri);
        let token = sts.named("IAM Identity Center", &session.oidc, call.send());
        let token = token.map_err(|error| session.failure(error).hint("run `awsrole login` again"))?;
        store(sts, session, &registration, &token)
    });
    if signed_in.is_err() {
        // A client that the service doesn't know gets an error page, and the browser never returns.
        Registration::forget(session);
    }
    signed_in
}

/// Returns the URL of the sign-in page (AWS CLI, `_get_authorization_uri`).
fn authorization_url(session: &SsoSession, client_id: &str, redirect_uri: &str, state: &str, verifier: &str) -> String {
    let base = match &session.oidc.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("https://{}", session.oidc.host()),
    };
    let challenge = challenge(verifier);
    let scopes = session.scopes().join(" ");
    let parameters = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("state", state),
        ("code_challenge_method", "S256"),
        ("scopes", &scopes),
        ("code_challenge", &challenge),
    ];
    format!("{base}/authorize?{}", query(&parameters))
}

/// Returns the query of a URL.
pub(crate) fn query(parameters: &[(&str, &str)]) -> String {
    let encode = |(name, value): &(&str, &str)| format!("{name}={}", utf8_percent_encode(value, RESERVED));
    parameters.iter().map(encode).collect::<Vec<_>>().join("&")
}

/// Returns the code challenge of a verifier (RFC 7636, "S256").
pub(crate) fn challenge(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes()))
}

/// Returns 256 random bits in 43 unreserved characters, the length that RFC 7636 recommends (section 4.1).
pub(crate) fn random() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| Problem::new("the system has no random numbers").because(e))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}
