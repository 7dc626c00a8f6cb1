//! Sign-in with the AWS console, as `aws login` does it (AWS CLI, `customizations/login`): the authorization code grant
//! with PKCE and DPoP.

use aws_sdk_signin::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sdk_signin::types::{CreateOAuth2TokenRequestBody, OAuth2ErrorCode};
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::aws::source::ConsoleLogin;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::session::advice::NO_CA_BUNDLE;
use awsrole_core::session::sts::StsError;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::exchange::{Exchanged, SignInRefusal, exchange, generate_key, pem};
use crate::RemoteSts;
use crate::sign_in::AuthorizationRequest;
use crate::sign_in::code::{challenge, query, random};
use crate::token_file::{NoToken, TokenFile};

/// Where the browser of a sign-in is.
#[derive(Clone, Copy)]
pub enum ConsoleBrowser<'a> {
    /// On this machine. It returns to this loopback address.
    Here(&'a str),
    /// On another device. It shows a code, which the user enters here.
    Elsewhere,
}

impl ConsoleBrowser<'_> {
    /// Returns the client ID. AWS has one for each kind.
    fn client_id(self) -> &'static str {
        match self {
            Self::Here(_) => "arn:aws:signin:::devtools/same-device",
            Self::Elsewhere => "arn:aws:signin:::devtools/cross-device",
        }
    }
}

/// Signs in, and stores the credentials for awsrole, the AWS CLI and the SDKs.
///
/// `authorize` opens the page, and returns the authorization code.
///
/// # Errors
/// Fails if the request is refused, with the error of `authorize`, if the user signed in as another identity than that
/// of the profile, and if the token file can't be written. Nothing is written then.
pub fn sign_in_to_console(
    sts: &RemoteSts<'_>,
    login: &ConsoleLogin,
    browser: ConsoleBrowser<'_>,
    authorize: &dyn Fn(&AuthorizationRequest) -> Result<Secret, Problem>,
) -> Result<(), Problem> {
    let base = base_url(sts, &login.endpoint).map_err(|why| failure(login).because(why))?;
    let redirect_uri = match browser {
        ConsoleBrowser::Here(uri) => uri.to_owned(),
        ConsoleBrowser::Elsewhere => format!("{base}/v1/sessions/confirmation"),
    };
    let (verifier, state) = (Secret::new(random()?), random()?);
    let key = generate_key().ok_or_else(|| failure(login).because("the system has no random numbers"))?;
    let parameters = [
        ("response_type", "code"),
        ("client_id", browser.client_id()),
        ("state", &state),
        // The name that the AWS CLI sends. RFC 7636 calls the method S256.
        ("code_challenge_method", "SHA-256"),
        ("scope", "openid"),
        ("redirect_uri", &redirect_uri),
        ("code_challenge", &challenge(verifier.expose())),
    ];
    let url = format!("{base}/v1/authorize?{}", query(&parameters));
    let code = authorize(&AuthorizationRequest { url, state })?;
    let body = CreateOAuth2TokenRequestBody::builder()
        .client_id(browser.client_id())
        .grant_type("authorization_code")
        .code(code.expose())
        .code_verifier(verifier.expose())
        .redirect_uri(redirect_uri)
        .build()
        .map_err(|error| failure(login).because(error))?;
    // A code can be used once, so the call isn't repeated.
    let given = exchange(sts, &login.endpoint, &key, body, 1).map_err(|refusal| refused(login, &refusal))?;
    let identity = identity(&given).ok_or_else(|| failure(login).because("the response doesn't say who signed in"))?;
    let expected = login.session.trim();
    if identity != expected {
        return Err(failure(login)
            .because(format!("you signed in as {identity}, but the profile is for {expected}"))
            .hint("sign out of the AWS console in the browser, then run the same command again")
            .hint(format!("`aws login --profile {}` selects another identity for the profile", login.profile)));
    }
    let account = expected.split(':').nth(4);
    let unusable = |no: NoToken| match no {
        NoToken::Unusable(why) => failure(login).because(why),
        NoToken::Missing => failure(login),
    };
    let _lock = TokenFile::lock(&login.token_file).map_err(unusable)?;
    let mut file = TokenFile::new(&login.token_file);
    file.set(given.fields(account, sts.now()));
    file.set(json!({
        "clientId": browser.client_id(),
        "dpopKey": pem(&key).as_str(),
        "signInRegion": login.endpoint.region.as_str(),
    }));
    file.write().map_err(|error| failure(login).because(&error).hint(error.hint()))
}

/// Returns the authorization code in a text that the user copied from the page: base64 of `state=…&code=…`, as in the
/// AWS CLI (`parse_verification_code`). Returns `None` for any other text, and for the code of another sign-in.
#[must_use]
pub fn pasted_code(text: &str, state: &str) -> Option<Secret> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = Zeroizing::new(BASE64.decode(text.as_bytes()).ok()?);
    let parts: Vec<(&str, &str)> =
        std::str::from_utf8(&decoded).ok()?.split('&').filter_map(|part| part.split_once('=')).collect();
    let value = |name: &str| parts.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let code = value("code").filter(|code| !code.is_empty() && value("state") == Some(state))?;
    Some(Secret::new(percent_encoding::percent_decode_str(code).decode_utf8().ok()?))
}

/// Returns the URL of AWS Sign-In in the region.
fn base_url(sts: &RemoteSts<'_>, endpoint: &Endpoint) -> Result<String, StsError> {
    if let Some(url) = &endpoint.url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let malformed = |error: String| StsError::Malformed(error);
    let parameters = Params::builder()
        .region(endpoint.region.as_str().to_owned())
        .use_fips(endpoint.fips)
        .use_dual_stack(endpoint.dual_stack)
        .is_control_plane(false)
        .build()
        .map_err(|error| malformed(error.to_string()))?;
    let resolver = DefaultResolver::new();
    let resolved = sts.client()?.block_on(async { resolver.resolve_endpoint(&parameters).await });
    resolved.map(|endpoint| endpoint.url().to_owned()).map_err(|error| malformed(error.to_string()))
}

/// Returns the ARN of the user or role session that signed in: the subject of the ID token.
///
/// The token comes from AWS Sign-In itself, so its signature isn't checked (OpenID Connect Core, section 3.1.3.7).
fn identity(given: &Exchanged) -> Option<String> {
    let payload = given.id_token()?.split('.').nth(1)?.trim_end_matches('=');
    let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

fn failure(login: &ConsoleLogin) -> Problem {
    Problem::new(format!("cannot sign in to the console for profile {}", login.profile))
}

/// Returns the error of AWS Sign-In.
fn refused(login: &ConsoleLogin, SignInRefusal(error, code): &SignInRefusal) -> Problem {
    match code {
        Some(OAuth2ErrorCode::InsufficientPermissions) => failure(login)
            .because("you have no permission to sign in for programs")
            .hint("your policies must allow signin:AuthorizeOAuth2Access and signin:CreateOAuth2Token"),
        Some(OAuth2ErrorCode::AuthcodeExpired) => {
            failure(login).because("the authorization code has expired").hint("run the same command again")
        }
        _ => match error {
            StsError::Trust(_) => failure(login).because(error).hint(NO_CA_BUNDLE),
            _ => failure(login).because(error).hint("run the same command again"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_code_belongs_to_this_sign_in() {
        let paste = |text: &str| BASE64.encode(text.as_bytes());
        let code = |text: &str| pasted_code(text, "s").map(|code| code.expose().to_owned());
        assert_eq!(code(&paste("state=s&code=a%2Fb+c")).as_deref(), Some("a/b+c"));
        let wrapped = paste("code=a&state=s");
        assert_eq!(code(&format!(" {}\n{} ", &wrapped[..4], &wrapped[4..])).as_deref(), Some("a"));
        for wrong in
            ["", "x", "é", &paste("state=t&code=a"), &paste("code=a"), &paste("state=s"), &paste("state=s&code=")]
        {
            assert_eq!(code(wrong), None, "{wrong}");
        }
    }
}
