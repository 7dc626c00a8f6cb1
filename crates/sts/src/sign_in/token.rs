//! The token file of the AWS CLI.

use std::time::Duration;

use aws_sdk_ssooidc::operation::create_token::CreateTokenOutput;
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::aws::time::rfc3339;
use awsrole_core::base::files::write_private;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use serde_json::json;
use zeroize::Zeroizing;

use super::registration::Registration;
use crate::RemoteSts;

/// Writes the token file of the AWS CLI (botocore, `_create_token`), and returns the access token.
pub(super) fn store(
    sts: &RemoteSts<'_>,
    session: &SsoSession,
    registration: &Registration,
    token: &CreateTokenOutput,
) -> Result<Secret, Problem> {
    let access_token = token.access_token().ok_or_else(|| session.failure("the response contains no token"))?;
    let lasts = Duration::from_secs(u64::try_from(token.expires_in()).unwrap_or(0));
    let mut file = json!({
        "startUrl": session.start_url,
        "region": session.region.as_str(),
        "accessToken": access_token,
        "expiresAt": rfc3339(sts.now() + lasts),
        "clientId": registration.id,
        "clientSecret": registration.secret.expose(),
        "registrationExpiresAt": rfc3339(registration.expires),
    });
    // The AWS CLI tries to renew every token that has this field.
    if let Some(refresh_token) = token.refresh_token() {
        file["refreshToken"] = refresh_token.into();
    }
    let text = Zeroizing::new(file.to_string());
    write_private(&session.token_file, text.as_bytes()).map_err(|e| session.failure(&e).hint(e.hint()))?;
    Ok(Secret::new(access_token))
}
