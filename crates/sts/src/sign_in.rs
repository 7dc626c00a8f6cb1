//! Sign-in to IAM Identity Center and sign-out, as the AWS CLI does them. Tokens and client registrations are stored in
//! the CLI's files and in its format, so each program uses the sign-in of the other.
//!
//! The authorization code grant with PKCE (RFC 7636) needs a browser on this machine, which returns to a loopback
//! address (RFC 8252). The device authorization grant (RFC 8628) needs no port and works over SSH.

mod code;
mod device;
mod registration;
mod sign_out;

use std::time::Duration;

use aws_sdk_ssooidc::operation::create_token::CreateTokenOutput;
use awsrole_core::aws::arn::AccountId;
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::aws::time::rfc3339;
use awsrole_core::base::files::write_private;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use serde_json::json;
use zeroize::Zeroizing;

use crate::{ATTEMPTS, RemoteSts};
use registration::Registration;

pub use code::{AuthorizationRequest, sign_in_by_code};
pub use device::{DeviceAuthorization, sign_in_by_device};
pub use sign_out::{SignedOut, sign_out};

/// The maximum number of pages of accounts that are listed. A page has up to 100.
const MAX_PAGES: usize = 20;

/// Lists the accounts of the user who just signed in, as far as they can be listed.
#[must_use]
pub fn account_names(sts: &RemoteSts<'_>, session: &SsoSession, access_token: &Secret) -> Vec<(AccountId, String)> {
    let Ok(portal) = sts.client().and_then(|client| client.sso(&session.portal, ATTEMPTS)) else { return Vec::new() };
    let mut names = Vec::new();
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let call = portal.list_accounts().access_token(access_token.expose()).set_next_token(next.take());
        let Ok(page) = sts.named("IAM Identity Center", &session.portal, call.send()) else { break };
        names.extend(page.account_list.unwrap_or_default().into_iter().filter_map(|account| {
            Some((AccountId::parse(account.account_id.as_deref()?).ok()?, account.account_name?))
        }));
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    names
}

/// Writes the token file of the AWS CLI (botocore, `_create_token`), and returns the access token.
fn store(
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
