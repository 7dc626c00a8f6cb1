//! What IAM Identity Center remembers: clients, codes, and who is signed in.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::crypto::random;
use crate::crypto::secret::SecretValue;
use crate::fixture::identity_center::IdentityCenterInstance;

/// Everything that `oidc`, `portal` and `browser` share.
#[derive(Default)]
pub(crate) struct IdentityCenterState {
    pub(crate) clients: HashMap<String, RegisteredClient>,
    pub(crate) devices: Vec<DeviceGrant>,
    pub(crate) codes: HashMap<String, AuthorizationCode>,
    pub(crate) browser_user: BrowserUser,
    sign_ins: Vec<PortalSession>,
    access_tokens: HashMap<String, (usize, SystemTime)>,
}

/// A registered client.
pub(crate) struct RegisteredClient {
    pub(crate) secret: SecretValue<String>,
    pub(crate) expires: SystemTime,
    pub(crate) grants: Vec<GrantType>,
    /// Whether it asked for `sso:account:access`, and so gets refresh tokens.
    pub(crate) scoped: bool,
    pub(crate) redirects: Vec<String>,
    pub(crate) issuer: Option<String>,
}

/// What a client may bring for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    DeviceCode,
    AuthorizationCode,
    RefreshToken,
}

/// A device code with its user code.
pub(crate) struct DeviceGrant {
    pub(crate) code: SecretValue<String>,
    pub(crate) user_code: String,
    pub(crate) client_id: String,
    pub(crate) start_url: String,
    pub(crate) expires: SystemTime,
    pub(crate) polled: Option<SystemTime>,
    pub(crate) decision: DeviceDecision,
}

/// What a person said to a device's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceDecision {
    Pending,
    Approved(String),
    Denied,
    /// Its token was handed out.
    Used,
}

/// A code on its way through the browser.
pub(crate) struct AuthorizationCode {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) user: String,
    pub(crate) start_url: String,
    pub(crate) expires: SystemTime,
}

/// Who sits at the browser, and what they do there.
#[derive(Default)]
pub(crate) struct BrowserUser {
    /// The first that is assigned anything when absent.
    pub(crate) user: Option<String>,
    pub(crate) denies: bool,
}

/// A person's session at the portal.
pub(crate) struct PortalSession {
    pub(crate) user: String,
    pub(crate) start_url: String,
    client_id: String,
    refresh_token: Option<SecretValue<String>>,
    live: bool,
}

impl GrantType {
    /// As OAuth calls it.
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
    /// Starts a session of a person; returns its number.
    pub(crate) fn sign_in(&mut self, user: &str, start_url: &str, client_id: &str) -> usize {
        self.sign_ins.push(PortalSession {
            user: user.to_owned(),
            start_url: start_url.to_owned(),
            client_id: client_id.to_owned(),
            refresh_token: None,
            live: true,
        });
        self.sign_ins.len() - 1
    }

    /// Makes a session's next access token, and its next refresh token if it has them; the old refresh token is void.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(crate) fn tokens(
        &mut self,
        sign_in: usize,
        refreshable: bool,
        expires: SystemTime,
    ) -> Result<(String, Option<String>), getrandom::Error> {
        let access = format!("aoa{}", random::text()?);
        let refresh = refreshable.then(|| random::text().map(|text| format!("aor{text}"))).transpose()?;
        if let Some(session) = self.sign_ins.get_mut(sign_in) {
            session.refresh_token = refresh.clone().map(SecretValue::new);
        }
        self.access_tokens.insert(access.clone(), (sign_in, expires));
        Ok((access, refresh))
    }

    /// The session that a refresh token belongs to.
    pub(crate) fn refreshed(&self, token: &str, client_id: &str) -> Option<usize> {
        self.sign_ins.iter().position(|session| {
            let fits = session.refresh_token.as_ref().is_some_and(|held| held.expose() == token);
            session.live && session.client_id == client_id && fits
        })
    }

    /// The session that a live access token belongs to.
    pub(crate) fn bearer(&self, token: &str, now: SystemTime) -> Option<&PortalSession> {
        let (sign_in, expires) = self.access_tokens.get(token)?;
        self.sign_ins.get(*sign_in).filter(|session| session.live && *expires > now)
    }

    /// Ends the session of an access token.
    pub(crate) fn sign_out(&mut self, token: &str) {
        if let Some((sign_in, _)) = self.access_tokens.get(token)
            && let Some(session) = self.sign_ins.get_mut(*sign_in)
        {
            session.live = false;
        }
    }

    /// Ends all access tokens at once, and with `refresh` the refresh tokens, too.
    pub(crate) fn expire(&mut self, refresh: bool) {
        self.access_tokens.clear();
        for session in &mut self.sign_ins {
            session.live &= !refresh;
        }
    }

    /// Notes what a person says to the request with this user code.
    ///
    /// # Errors
    /// There is no such request that waits, or the user has nothing at that start URL.
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

/// Who signs in at a start URL.
///
/// # Errors
/// The person has nothing there.
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
