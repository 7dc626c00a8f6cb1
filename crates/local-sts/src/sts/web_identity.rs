//! AssumeRoleWithWebIdentity. The call isn't signed: the identity provider's token authenticates the caller.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::crypto::jwt::Jwt;
use crate::fixture::identity_provider::OidcProvider;
use crate::fixture::world::World;
use crate::policy::condition::ConditionKeys;
use crate::policy::principal::ExternalPrincipal;
use crate::protocol::constraints::Constraints;
use crate::protocol::error::ApiError;
use crate::protocol::query::QueryResponse;
use crate::protocol::request::Form;
use crate::protocol::timestamp;
use crate::state::authorization;
use crate::state::context::RequestContext;
use crate::state::sessions::{AssumedRoleSession, CredentialOwner};
use crate::sts::assume_role::AssumeRoleRequest;
use crate::sts::credentials;

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// Claims of a verified token.
struct Claims {
    subject: String,
    audience: String,
    /// `aud` of a token whose `azp` is the audience.
    original_audience: Option<String>,
}

/// Answers AssumeRoleWithWebIdentity.
///
/// # Errors
/// Parameters out of their limits, a token with a wrong signature or audience, an unknown provider, an expired token, a
/// trust policy that doesn't match provider, audience or subject, a duration beyond the role's limit.
pub(crate) fn handle(world: &World, context: &mut RequestContext<'_>, form: &Form) -> Result<QueryResponse, ApiError> {
    let mut rules = Constraints::default();
    let text = rules.required("webIdentityToken", form.value("WebIdentityToken"));
    rules.secret("webIdentityToken", form.value("WebIdentityToken"), &(4..=20_000));
    rules.finish()?;
    let request = AssumeRoleRequest::read(form)?;
    let session_policies = request.session_policies()?;
    if form.value("ProviderId").is_some() {
        return Err(invalid("ProviderId is for OAuth 2.0 access tokens, and this is an ID token"));
    }

    let token = Jwt::parse(text).ok_or_else(|| {
        invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    })?;
    let account = request.role_arn.split(':').nth(4).unwrap_or_default();
    let provider = provider(world, &token, account)?;
    let claims = believed(&token, provider, context.now)?;

    let denied = || ApiError::access_denied(format!("Not authorized to perform {ACTION}"));
    let role = world.role(request.role_arn).ok_or_else(denied)?;
    let condition_keys = condition_keys(provider, &claims, request.session_name);
    if !authorization::trusts_with(role, &ExternalPrincipal::federated(&provider.arn), ACTION, &condition_keys) {
        return Err(denied());
    }
    if request.duration_seconds > role.max_session_duration_seconds {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let packed_percent = request.packed_percent(&[])?.map(|percent| percent.to_string());

    let session = AssumedRoleSession {
        session_policies,
        ..AssumedRoleSession::plain(&world.partition, role, request.session_name)
    };
    let user = QueryResponse::default().element("AssumedRoleId", &session.id).element("Arn", &session.arn);
    let expires = context.expiry(Duration::from_secs(request.duration_seconds.into()));
    let issued = context.state.sessions.issue(CredentialOwner::Role(Arc::new(session)), context.now, expires)?;
    Ok(credentials::element(issued)
        .element("SubjectFromWebIdentityToken", &claims.subject)
        .group("AssumedRoleUser", &user)
        .optional("PackedPolicySize", packed_percent.as_deref())
        .optional("SessionTokenUtilization", packed_percent.as_deref())
        .element("Provider", &provider.arn)
        .element("Audience", &claims.audience))
}

/// Returns the account's provider that issued the token.
fn provider<'w>(world: &'w World, token: &Jwt<'_>, account: &str) -> Result<&'w OidcProvider, ApiError> {
    let issuer = token.text("iss").ok_or_else(|| missing("iss"))?;
    let mut providers = world.sources.oidc_providers.iter();
    let found = providers.find(|provider| provider.account == account && provider.url == issuer);
    found.ok_or_else(|| invalid(format!("No OpenIDConnect provider found in your account for {issuer}")))
}

/// Verifies signature, times and audience.
fn believed(token: &Jwt<'_>, provider: &OidcProvider, now: SystemTime) -> Result<Claims, ApiError> {
    if !token.is_signed_by(&provider.keys) {
        return Err(invalid(
            "The web identity token that was passed could not be validated by AWS. \
             Get a new identity token from the identity provider and then retry the request.",
        ));
    }
    let now = timestamp::unix_seconds(now);
    let expires = token.seconds("exp").ok_or_else(|| missing("exp"))?;
    if expires <= now {
        let message =
            format!("Token expired: current date/time {now} must be before the expiration date/time {expires}");
        return Err(ApiError::new(400, "ExpiredTokenException", message));
    }
    let issued = token.seconds("iat").ok_or_else(|| missing("iat"))?;
    let begins =
        if token.claims.contains_key("nbf") { token.seconds("nbf").ok_or_else(|| missing("nbf"))? } else { 0 };
    if issued.max(begins) > now {
        let message = "The identity provider (IdP) reported that authentication failed: the token is of the future";
        return Err(ApiError::new(403, "IDPRejectedClaim", message));
    }
    let subject = token.text("sub").ok_or_else(|| missing("sub"))?.to_owned();
    let (audience, original_audience) = audience(token)?;
    if !provider.client_ids.contains(&audience) {
        return Err(invalid("Incorrect token audience"));
    }
    Ok(Claims { subject, audience, original_audience })
}

/// Returns the audience and the original audience. If there is an `azp`, it is the audience, and `aud` becomes `oaud`
/// ("Available keys for AWS web identity federation", IAM User Guide). An `aud` with several values is no audience.
fn audience(token: &Jwt<'_>) -> Result<(String, Option<String>), ApiError> {
    let listed = token.claims.get("aud").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let only = if let [only] = &listed[..] { only.as_str() } else { token.text("aud") };
    match (token.text("azp"), only) {
        (Some(party), only) => Ok((party.to_owned(), only.map(str::to_owned))),
        (None, Some(only)) => Ok((only.to_owned(), None)),
        (None, None) => Err(missing("aud")),
    }
}

fn condition_keys(provider: &OidcProvider, claims: &Claims, session_name: &str) -> ConditionKeys {
    let mut condition_keys = ConditionKeys::default();
    condition_keys.set("sts:RoleSessionName", session_name);
    condition_keys.set(&format!("{}:aud", provider.name), &claims.audience);
    condition_keys.set(&format!("{}:sub", provider.name), &claims.subject);
    if let Some(original) = &claims.original_audience {
        condition_keys.set(&format!("{}:oaud", provider.name), original);
    }
    condition_keys
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidIdentityToken", message)
}

fn missing(claim: &str) -> ApiError {
    invalid(format!("Missing a required claim: {claim}"))
}
