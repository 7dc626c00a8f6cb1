//! Sign-in with the device authorization grant.

use std::time::Duration;

use aws_sdk_ssooidc::error::ProvideErrorMetadata;
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;

use super::registration::{Flow, Registration, refusal};
use super::token::store;
use crate::refusal::root_cause;
use crate::{ATTEMPTS, RemoteSts};

/// The authorization request that the user confirms in a browser.
pub struct DeviceAuthorization {
    /// The URL, including the code.
    pub url: String,
    /// The code that the page must show.
    pub user_code: String,
    /// The time within which it must be confirmed.
    pub lasts: Duration,
}

/// Signs in with a browser on any machine, and stores the token for awsrole, the AWS CLI and the SDKs.
///
/// `invite` is called with the authorization request. Then the function waits for its confirmation. Returns the access
/// token.
///
/// # Errors
/// Fails if the request is refused, if the code isn't confirmed in time, or if the token file can't be written.
pub fn sign_in_by_device(
    sts: &RemoteSts<'_>,
    session: &SsoSession,
    invite: &dyn Fn(&DeviceAuthorization),
) -> Result<Secret, Problem> {
    let again = |why: &str| session.failure(why).hint("run `awsrole login` again");
    let missing = || session.failure("the response is incomplete");
    let client = sts.client().map_err(|error| session.failure(error))?;
    let oidc = client.sso_oidc(&session.oidc, ATTEMPTS).map_err(|error| session.failure(error))?;
    let registration = Registration::obtain(sts, &oidc, session, Flow::DeviceCode)?;
    let (id, secret) = (registration.id.as_str(), registration.secret.expose());
    let device = oidc.start_device_authorization().client_id(id).client_secret(secret).start_url(&session.start_url);
    let device = sts.named("IAM Identity Center", &session.oidc, device.send()).map_err(|error| {
        Registration::forget(session);
        refusal(session, &error)
    })?;
    let lasts = Duration::from_secs(u64::try_from(device.expires_in()).unwrap_or(600).max(1));
    let device_code = device.device_code().ok_or_else(missing)?;
    invite(&DeviceAuthorization {
        url: device.verification_uri_complete().or(device.verification_uri()).ok_or_else(missing)?.to_owned(),
        user_code: device.user_code().ok_or_else(missing)?.to_owned(),
        lasts,
    });
    let token = client.block_on(async {
        let mut pause = Duration::from_secs(u64::try_from(device.interval()).unwrap_or(5).clamp(1, 30));
        let end = tokio::time::Instant::now() + lasts;
        loop {
            tokio::time::sleep(pause).await;
            let ask = oidc
                .create_token()
                .client_id(id)
                .client_secret(secret)
                .grant_type("urn:ietf:params:oauth:grant-type:device_code")
                .device_code(device_code);
            match ask.send().await {
                Ok(token) => return Ok(token),
                Err(error) if tokio::time::Instant::now() >= end => {
                    return Err(session.failure(root_cause(&error)));
                }
                Err(error) => match error.code() {
                    Some("AuthorizationPendingException") => {}
                    // The interval is increased as in RFC 8628, section 3.5.
                    Some("SlowDownException") => pause += Duration::from_secs(5),
                    Some("ExpiredTokenException") => return Err(again("the code wasn't confirmed in time")),
                    Some("AccessDeniedException") => return Err(again("it was denied in the browser")),
                    _ => return Err(session.failure(root_cause(&error))),
                },
            }
        }
    })?;
    store(sts, session, &registration, &token)
}
