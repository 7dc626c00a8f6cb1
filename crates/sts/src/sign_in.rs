//! Sign-in to IAM Identity Center with the device authorization grant (RFC 8628), which needs no port and works over
//! SSH. The token is stored where the AWS CLI stores its own.

use std::time::{Duration, SystemTime};

use aws_sdk_ssooidc::error::ProvideErrorMetadata;
use awsrole_core::aws::arn::AccountId;
use awsrole_core::aws::source::IdentityCenter;
use awsrole_core::aws::time::rfc3339;
use awsrole_core::base::files::write_private;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use serde_json::json;
use zeroize::Zeroizing;

use crate::{ATTEMPTS, RemoteSts, refusal};

/// The authorization request that the user confirms in a browser.
pub struct DeviceAuthorization {
    /// The URL, including the code.
    pub url: String,
    /// The code that the page must show.
    pub user_code: String,
    /// The time within which it must be confirmed.
    pub lasts: Duration,
}

/// The maximum number of pages of accounts that are listed. A page has up to 100.
const MAX_PAGES: usize = 20;

/// Signs in, and stores the token for awsrole, the AWS CLI and the SDKs.
///
/// `invite` is called with the authorization request. Then the function waits for its confirmation. Returns the names
/// of the user's accounts, as far as they can be listed.
///
/// # Errors
/// Fails if the request is refused, if the code isn't confirmed in time, or if the token file can't be written.
pub fn sign_in(
    sts: &RemoteSts<'_>,
    role: &IdentityCenter,
    invite: &dyn Fn(&DeviceAuthorization),
) -> Result<Vec<(AccountId, String)>, Problem> {
    let failed = |why: String| Problem::new(format!("cannot sign in at {}", role.start_url)).because(why);
    let client = sts.client().map_err(|error| failed(error.to_string()))?;
    let oidc = client.sso_oidc(&role.oidc, ATTEMPTS).map_err(|error| failed(error.to_string()))?;
    let access_token = client.block_on(async {
        let registration = oidc
            .register_client()
            .client_name("awsrole")
            .client_type("public")
            .scopes("sso:account:access")
            .send()
            .await
            .map_err(|e| failed(refusal::root_cause(&e)))?;
        let missing = || failed("the response is incomplete".to_owned());
        let id = registration.client_id().ok_or_else(missing)?;
        let secret = registration.client_secret().ok_or_else(missing)?;
        let device = oidc.start_device_authorization().client_id(id).client_secret(secret).start_url(&role.start_url);
        let device = device.send().await.map_err(|e| failed(refusal::root_cause(&e)))?;
        let lasts = Duration::from_secs(u64::try_from(device.expires_in()).unwrap_or(600).max(1));
        invite(&DeviceAuthorization {
            url: device.verification_uri_complete().or(device.verification_uri()).ok_or_else(missing)?.to_owned(),
            user_code: device.user_code().ok_or_else(missing)?.to_owned(),
            lasts,
        });
        let mut pause = Duration::from_secs(u64::try_from(device.interval()).unwrap_or(5).clamp(1, 30));
        let end = tokio::time::Instant::now() + lasts;
        let token = loop {
            tokio::time::sleep(pause).await;
            let ask = oidc
                .create_token()
                .client_id(id)
                .client_secret(secret)
                .grant_type("urn:ietf:params:oauth:grant-type:device_code")
                .device_code(device.device_code().ok_or_else(missing)?);
            match ask.send().await {
                Ok(token) => break token,
                Err(error) if tokio::time::Instant::now() >= end => return Err(failed(refusal::root_cause(&error))),
                Err(error) => match error.code() {
                    Some("AuthorizationPendingException") => {}
                    // The interval is increased as in RFC 8628, section 3.5.
                    Some("SlowDownException") => pause += Duration::from_secs(5),
                    Some("ExpiredTokenException") => {
                        return Err(
                            failed("the code wasn't confirmed in time".to_owned()).hint("run `awsrole login` again")
                        );
                    }
                    Some("AccessDeniedException") => {
                        return Err(failed("it was denied in the browser".to_owned()).hint("run `awsrole login` again"));
                    }
                    _ => return Err(failed(refusal::root_cause(&error))),
                },
            }
        };
        let now = sts.now();
        let lasts = Duration::from_secs(u64::try_from(token.expires_in()).unwrap_or(0));
        let registered = Duration::from_secs(u64::try_from(registration.client_secret_expires_at()).unwrap_or(0));
        let access_token = token.access_token().ok_or_else(missing)?;
        let text = Zeroizing::new(
            json!({
                "startUrl": role.start_url,
                "region": role.region.as_str(),
                "accessToken": access_token,
                "expiresAt": rfc3339(now + lasts),
                "clientId": id,
                "clientSecret": secret,
                "registrationExpiresAt": rfc3339(SystemTime::UNIX_EPOCH + registered),
                "refreshToken": token.refresh_token(),
            })
            .to_string(),
        );
        write_private(&role.token_file, text.as_bytes()).map_err(|e| failed(e.to_string()))?;
        Ok(Secret::new(access_token))
    })?;
    Ok(account_names(sts, role, &access_token))
}

/// Lists the accounts of the signed-in user. The sign-in is complete without them.
fn account_names(sts: &RemoteSts<'_>, role: &IdentityCenter, access_token: &Secret) -> Vec<(AccountId, String)> {
    let Ok(portal) = sts.client().and_then(|client| client.sso(&role.portal, ATTEMPTS)) else { return Vec::new() };
    let mut names = Vec::new();
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let call = portal.list_accounts().access_token(access_token.expose()).set_next_token(next.take());
        let Ok(page) = sts.named("IAM Identity Center", &role.portal, call.send()) else { break };
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
