//! IAM Identity Center: the token of a sign-in, its renewal, and the credentials of a role.

use std::time::{Duration, SystemTime};

use aws_sdk_sts::primitives::DateTime;
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::source::{IdentityCenter, SourceError};
use awsrole_core::aws::time::rfc3339;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::session::advice::{NO_CA_BUNDLE, suspects};
use awsrole_core::session::sts::StsError;

use crate::token_file::{NoToken, TokenFile};
use crate::{ATTEMPTS, RemoteSts, time};

/// The time before its expiration at which a token is renewed (botocore, `SSOTokenProvider`).
const RENEWAL_WINDOW: Duration = Duration::from_secs(15 * 60);

/// Requests a role's credentials from the access portal.
///
/// # Errors
/// Fails if the user isn't signed in, if the role isn't assigned to the user, or if there is no response.
pub(crate) fn credentials(sts: &RemoteSts<'_>, role: &IdentityCenter) -> Result<Credentials, SourceError> {
    let token = token(sts, role)?;
    let refused = |error: StsError| match &error {
        StsError::Refused { code, .. } if code == "UnauthorizedException" => {
            SourceError::SignedOut(refusal(role, &error))
        }
        _ => refusal(role, &error).into(),
    };
    let client = sts.client().map_err(refused)?.sso(&role.portal, ATTEMPTS).map_err(refused)?;
    let call = client
        .get_role_credentials()
        .account_id(&role.account_id)
        .role_name(&role.role_name)
        .access_token(token.expose());
    let answer = sts.named("IAM Identity Center", &role.portal, call.send()).map_err(refused)?;
    let from = answer.role_credentials.and_then(|from| {
        let end = time(&DateTime::from_millis(from.expiration))?;
        Some(Credentials {
            access_key_id: from.access_key_id?,
            secret_access_key: Secret::new(from.secret_access_key?),
            session_token: Some(Secret::new(from.session_token?)),
            issued: sts.now(),
            expiration: Some(end),
            size_percent: None,
            arn: None,
        })
    });
    from.ok_or_else(|| refused(StsError::Malformed("the credentials in the response are incomplete".to_owned())))
}

/// Returns the access token.
///
/// A token of an `[sso-session]` that expires soon is renewed. If that fails, it is used until it expires. Tokens of
/// the legacy format are never renewed, and never sent after their expiration (botocore, `SSOCredentialFetcher`).
pub(crate) fn token(sts: &RemoteSts<'_>, role: &IdentityCenter) -> Result<Secret, SourceError> {
    let no_token = |no: NoToken| match no {
        NoToken::Missing => SourceError::SignedOut(not_signed_in(role)),
        NoToken::Unusable(why) => no_credentials(role).because(why).hint(sign_in(role)).into(),
    };
    let expired = || SourceError::SignedOut(signed_out(role));
    let mut file = TokenFile::read(&role.token_file).map_err(no_token)?;
    let token = Secret::new(file.text("accessToken").map_err(no_token)?);
    let left = file.time("expiresAt").map_err(no_token)?.duration_since(sts.now()).unwrap_or_default();
    if role.session.is_none() || left > RENEWAL_WINDOW {
        return if left.is_zero() { Err(expired()) } else { Ok(token) };
    }
    match renewed(sts, role, &mut file) {
        Ok(Some(token)) => Ok(token),
        _ if !left.is_zero() => Ok(token),
        Ok(None) => Err(expired()),
        Err(StsError::Refused { code, .. }) => {
            let problem = no_credentials(role).because(format!("the sign-in has ended ({code})"));
            Err(SourceError::SignedOut(problem.hint(sign_in(role))))
        }
        // The sign-in has expired. Without a network it can't be renewed, so signing in again comes first.
        Err(error) => {
            let problem = signed_out(role).because(format!("it can't be renewed: {error}"));
            Err(problem.fact("endpoint", endpoint(role)).into())
        }
    }
}

/// Renews a token. Returns `None` if the file lacks the required values, or if the client registration has expired.
fn renewed(sts: &RemoteSts<'_>, role: &IdentityCenter, file: &mut TokenFile<'_>) -> Result<Option<Secret>, StsError> {
    let [Some(refresh_token), Some(id), Some(secret)] =
        ["refreshToken", "clientId", "clientSecret"].map(|place| file.optional(place))
    else {
        return Ok(None);
    };
    if !file.time("registrationExpiresAt").is_ok_and(|end| end > sts.now()) {
        return Ok(None);
    }
    let call = sts
        .client()?
        .sso_oidc(&role.oidc, ATTEMPTS)?
        .create_token()
        .client_id(id)
        .client_secret(secret)
        .grant_type("refresh_token")
        .refresh_token(refresh_token);
    let used = Secret::new(refresh_token);
    let answer = sts.named("IAM Identity Center", &role.oidc, call.send())?;
    let Some(token) = answer.access_token else { return Ok(None) };
    let lasts = Duration::from_secs(u64::try_from(answer.expires_in).unwrap_or_default());
    let end = sts.now().checked_add(lasts).unwrap_or(SystemTime::UNIX_EPOCH);
    file.set(serde_json::json!({
        "startUrl": role.start_url,
        "region": role.region.as_str(),
        "accessToken": token,
        "expiresAt": rfc3339(end),
    }));
    if let Some(next) = answer.refresh_token {
        file.set(serde_json::json!({ "refreshToken": next }));
    }
    file.replace(used.expose(), sts);
    Ok(Some(Secret::new(token)))
}

fn no_credentials(role: &IdentityCenter) -> Problem {
    Problem::new(format!(
        "cannot get credentials for {} in {} from IAM Identity Center",
        role.role_name, role.account_id
    ))
}

fn sign_in(role: &IdentityCenter) -> String {
    format!("sign in with `awsrole login` or `{}`: this shell continues at its next prompt", login(role))
}

fn login(role: &IdentityCenter) -> String {
    match &role.session {
        Some(session) => format!("aws sso login --sso-session {session}"),
        // The project file names a permission set only with a session.
        None => format!("aws sso login --profile {}", role.profile.as_deref().unwrap_or_default()),
    }
}

fn signed_out(role: &IdentityCenter) -> Problem {
    no_credentials(role).because("the sign-in has expired").hint(sign_in(role))
}

fn not_signed_in(role: &IdentityCenter) -> Problem {
    no_credentials(role).because("the user hasn't signed in yet, or has signed out").hint(sign_in(role))
}

pub(crate) fn endpoint(role: &IdentityCenter) -> String {
    format!("{} ({})", role.start_url, role.region.as_str())
}

/// Returns the error of the access portal.
fn refusal(role: &IdentityCenter, error: &StsError) -> Problem {
    let problem = no_credentials(role).because(error).fact("endpoint", endpoint(role));
    match error {
        StsError::Refused { code, .. } if code == "ForbiddenException" => problem
            .hint(format!(
                "permission set {} isn't assigned to you in account {}: are both right{}?",
                role.role_name,
                role.account_id,
                // A project file or an option of a command names the others.
                role.profile.as_ref().map(|profile| format!(" in profile {profile}")).unwrap_or_default()
            ))
            .hint("the access portal lists your permission sets: an administrator of Identity Center can assign more"),
        StsError::Refused { .. } => problem.hint(sign_in(role)),
        StsError::Trust(_) => problem.hint(NO_CA_BUNDLE),
        _ => problem
            .temporary()
            .hint(format!("check {} (sso_region)", suspects(error)))
            .hint(format!("if you aren't signed in: `awsrole login`, or `{}`", login(role))),
    }
}
