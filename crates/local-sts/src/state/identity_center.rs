//! State of IAM Identity Center: clients, codes, tokens and portal sessions.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::crypto::random;
use crate::crypto::secret::SecretValue;
use crate::fixture::identity_center::IdentityCenterInstance;

/// State that OIDC, portal and browser pages share.
#[derive(Default)]
pub(crate) struct IdentityCenterState {
    pub(crate) clients: HashMap<String, RegisteredClient>,
    pub(crate) devices: Vec<DeviceGrant>,
    pub(crate) codes: HashMap<String, AuthorizationCode>,
    pub(crate) browser_user: BrowserUser,
    sessions: Vec<PortalSession>,
    access_tokens: HashMap<String, (usize, SystemTime)>,
}

/// A registered client.
pub(crate) struct RegisteredClient {
    pub(crate) secret: SecretValue<String>,
    pub(crate) expires: SystemTime,
    pub(crate) grants: Vec<GrantType>,
    /// Whether it registered the scope `sso:account:access`. Only then it gets refresh tokens.
    pub(crate) scoped: bool,
    pub(crate) redirects: Vec<String>,
    pub(crate) issuer: Option<String>,
}

/// OAuth grant types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    DeviceCode,
    AuthorizationCode,
    RefreshToken,
}

/// A device authorization (RFC 8628).
pub(crate) struct DeviceGrant {
    pub(crate) code: SecretValue<String>,
    pub(crate) user_code: String,
    pub(crate) client_id: String,
    pub(crate) start_url: String,
    pub(crate) expires: SystemTime,
    pub(crate) polled: Option<SystemTime>,
    pub(crate) decision: DeviceDecision,
}

/// The user's decision on a device authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceDecision {
    Pending,
    Approved(String),
    Denied,
    /// The device code was exchanged for a token.
    Used,
}

/// An authorization code that the browser passes to the client.
pub(crate) struct AuthorizationCode {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) user: String,
    pub(crate) start_url: String,
    pub(crate) expires: SystemTime,
}

/// The user of the browser, and whether they approve requests.
#[derive(Default)]
pub(crate) struct BrowserUser {
    /// By default the first user with an assignment.
    pub(crate) user: Option<String>,
    pub(crate) denies: bool,
}

/// A user's session at the portal.
pub(crate) struct PortalSession {
    pub(crate) user: String,
    pub(crate) start_url: String,
    client_id: String,
    refresh_token: Option<SecretValue<String>>,
    live: bool,
}

impl GrantType {
    /// Parses OAuth's name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "urn:ietf:params:oauth:grant-type:device_code" => Self::DeviceCode,
            "authorization_code" => Self::AuthorizationCode,
            "refresh_token" => Self::RefreshToken,
            _ => return None,
        })
    }
}

impl IdentityCenterState {
    /// Starts a user's session and returns its index.
    pub(crate) fn start_session(&mut self, user: &str, start_url: &str, client_id: &str) -> usize {
        self.sessions.push(PortalSession {
            user: user.to_owned(),
            start_url: start_url.to_owned(),
            client_id: client_id.to_owned(),
            refresh_token: None,
            live: true,
        });
        self.sessions.len() - 1
    }

    /// Issues a session's next access token and, if `refreshable`, refresh token. The previous refresh token becomes
    /// invalid.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(crate) fn issue_tokens(
        &mut self,
        session: usize,
        refreshable: bool,
        expires: SystemTime,
    ) -> Result<(String, Option<String>), getrandom::Error> {
        let access = format!("aoa{}", random::text()?);
        let refresh = refreshable.then(|| random::text().map(|text| format!("aor{text}"))).transpose()?;
        if let Some(session) = self.sessions.get_mut(session) {
            session.refresh_token = refresh.clone().map(SecretValue::new);
        }
        self.access_tokens.insert(access.clone(), (session, expires));
        Ok((access, refresh))
    }

    /// Returns the index of the session that a refresh token belongs to.
    pub(crate) fn session_to_refresh(&self, token: &str, client_id: &str) -> Option<usize> {
        self.sessions.iter().position(|session| {
            let fits = session.refresh_token.as_ref().is_some_and(|held| held.expose() == token);
            session.live && session.client_id == client_id && fits
        })
    }

    /// Returns the session that a valid access token belongs to.
    pub(crate) fn session_of_token(&self, token: &str, now: SystemTime) -> Option<&PortalSession> {
        let (session, expires) = self.access_tokens.get(token)?;
        self.sessions.get(*session).filter(|session| session.live && *expires > now)
    }

    /// Ends the session of an access token.
    pub(crate) fn end_session(&mut self, token: &str) {
        if let Some((index, _)) = self.access_tokens.get(token)
            && let Some(session) = self.sessions.get_mut(*index)
        {
            session.live = false;
        }
    }

    /// Ends all access tokens, and with `refresh` all refresh tokens, too.
    pub(crate) fn expire(&mut self, refresh: bool) {
        self.access_tokens.clear();
        for session in &mut self.sessions {
            session.live &= !refresh;
        }
    }

    /// Records the user's decision on the device authorization with this user code.
    ///
    /// # Errors
    /// No pending authorization has this code, or the user has no assignment at the start URL.
    pub(crate) fn decide(
        &mut self,
        center: &IdentityCenterInstance,
        user_code: &str,
        browser_user: &BrowserUser,
        now: SystemTime,
    ) -> Result<(), String> {
        let waits = |device: &&mut DeviceGrant| device.user_code.eq_ignore_ascii_case(user_code);
        let device = self.devices.iter_mut().find(waits).ok_or_else(|| format!("no request has `{user_code}`"))?;
        if device.expires <= now || device.decision != DeviceDecision::Pending {
            return Err(format!("the request with `{user_code}` doesn't wait any more"));
        }
        device.decision = if browser_user.denies {
            DeviceDecision::Denied
        } else {
            DeviceDecision::Approved(signed_in(center, browser_user, &device.start_url)?)
        };
        Ok(())
    }
}

/// Returns the name of the user who signs in at a start URL.
///
/// # Errors
/// The user has no assignment there.
pub(crate) fn signed_in(
    center: &IdentityCenterInstance,
    browser_user: &BrowserUser,
    start_url: &str,
) -> Result<String, String> {
    let mut here = center.assignments.iter().filter(|assignment| assignment.start_url == start_url);
    let found = here.find(|assignment| browser_user.user.as_ref().is_none_or(|user| *user == assignment.user));
    let found = found.ok_or_else(|| format!("{:?} has no assignment at {start_url}", browser_user.user))?;
    Ok(found.user.clone())
}
