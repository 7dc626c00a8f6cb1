//! The registration of the OAuth client, which is cached where the AWS CLI caches its own.

use std::time::{Duration, SystemTime};

use aws_sdk_ssooidc::Client;
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::aws::time::rfc3339;
use awsrole_core::base::files::{remove, write_private};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::session::sts::StsError;
use serde_json::json;
use zeroize::Zeroizing;

use crate::RemoteSts;
use crate::token_file::TokenFile;

/// The time before its expiration at which a registration is replaced (AWS CLI, `_EXPIRY_WINDOW`).
const RENEWAL_WINDOW: Duration = Duration::from_secs(15 * 60);

/// The redirect URI of a registration. The port isn't part of it (RFC 8252, section 7.3).
const REDIRECT_URI: &str = "http://127.0.0.1/oauth/callback";

/// The grants of a client for the authorization code flow (AWS CLI, `_AUTH_GRANT_TYPES`).
const CODE_GRANTS: [&str; 2] = ["authorization_code", "refresh_token"];

/// A registered client.
pub(super) struct Registration {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) expires: SystemTime,
}

/// The flow that a client is registered for. A client for one of them can't be used for the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    AuthorizationCode,
    DeviceCode,
}

impl Registration {
    /// Returns the cached registration, or registers a client.
    ///
    /// # Errors
    /// Fails if the service refuses it, such as for a start URL of another organization, or isn't reached.
    pub(super) fn obtain(
        sts: &RemoteSts<'_>,
        oidc: &Client,
        session: &SsoSession,
        flow: Flow,
    ) -> Result<Self, Problem> {
        if let Some(cached) = Self::load(session, flow).filter(|cached| cached.expires > sts.now() + RENEWAL_WINDOW) {
            return Ok(cached);
        }
        let mut call =
            oidc.register_client().client_name("awsrole").client_type("public").set_scopes(Some(session.scopes()));
        if flow == Flow::AuthorizationCode {
            call = call
                .set_grant_types(Some(CODE_GRANTS.map(str::to_owned).to_vec()))
                .redirect_uris(REDIRECT_URI)
                .issuer_url(&session.start_url);
        }
        let answer = sts.named("IAM Identity Center", &session.oidc, call.send());
        let answer = answer.map_err(|error| refusal(session, &error))?;
        let (Some(id), Some(secret)) = (answer.client_id, answer.client_secret) else {
            return Err(session.failure("the response is incomplete"));
        };
        let lasts = Duration::from_secs(u64::try_from(answer.client_secret_expires_at).unwrap_or(0));
        let registration = Self { id, secret: Secret::new(secret), expires: SystemTime::UNIX_EPOCH + lasts };
        // The registration serves this sign-in even if it can't be written.
        let _ = registration.store(session, flow);
        Ok(registration)
    }

    /// Removes the cached registration, because the service may have forgotten it.
    pub(super) fn forget(session: &SsoSession) {
        let _ = remove(&session.registration_file());
    }

    /// Reads the file of the AWS CLI (botocore, `_registration`). A file that can't be used is ignored.
    fn load(session: &SsoSession, flow: Flow) -> Option<Self> {
        let path = session.registration_file();
        let file = TokenFile::read(&path).ok()?;
        let cached = if file.lists("grantTypes", CODE_GRANTS[0]) { Flow::AuthorizationCode } else { Flow::DeviceCode };
        (cached == flow).then_some(Self {
            id: file.text("clientId").ok()?.to_owned(),
            secret: Secret::new(file.text("clientSecret").ok()?),
            expires: file.time("expiresAt").ok()?,
        })
    }

    fn store(&self, session: &SsoSession, flow: Flow) -> Result<(), awsrole_core::base::files::FileError> {
        let mut file = json!({
            "clientId": self.id,
            "clientSecret": self.secret.expose(),
            "expiresAt": rfc3339(self.expires),
            "scopes": session.scopes(),
        });
        if flow == Flow::AuthorizationCode {
            file["grantTypes"] = CODE_GRANTS.to_vec().into();
        }
        let text = Zeroizing::new(file.to_string());
        write_private(&session.registration_file(), text.as_bytes())
    }
}

/// Returns the error of a request that names the start URL.
pub(super) fn refusal(session: &SsoSession, error: &StsError) -> Problem {
    let region = session.region.as_str();
    let hint = format!("are start URL and region ({region}) those of your organization's access portal?");
    session.failure(error).hint(hint)
}
