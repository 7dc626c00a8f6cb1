//! State of AWS Sign-In: the sessions that `aws login` opens.

use std::collections::HashMap;
use std::time::SystemTime;

use serde::Deserialize;

use crate::crypto::random;
use crate::crypto::secret::SecretValue;
use crate::fixture::console::ConsoleSession;
use crate::protocol::dpop::SeenProofs;
use crate::protocol::timestamp;
use crate::state::sessions::Sessions;

/// Login sessions, codes, the browser, and the DPoP proofs that can't be used again.
#[derive(Default)]
pub(crate) struct SigninState {
    pub(crate) login_sessions: Vec<LoginSession>,
    pub(crate) proofs: SeenProofs,
    /// Authorization codes that weren't used.
    pub(crate) codes: HashMap<String, SigninCode>,
    pub(crate) browser: SigninBrowser,
}

/// An authorization code of the authorization page.
pub(crate) struct SigninCode {
    pub(crate) client: SigninClient,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) login_session: String,
    pub(crate) expires: SystemTime,
}

/// The console session of the browser, by default the fixture's first one, and whether its user denies requests.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SigninBrowser {
    pub(crate) login_session: Option<String>,
    #[serde(rename = "deny")]
    pub(crate) denies: bool,
}

/// One `aws login`.
pub(crate) struct LoginSession {
    /// The ARN that the profile's `login_session` names.
    pub(crate) arn: String,
    pub(crate) client: SigninClient,
    /// JWK thumbprint of the key that each refresh must prove.
    pub(crate) thumbprint: String,
    pub(crate) opened: SystemTime,
    pub(crate) expires: SystemTime,
    /// Set when a test ended the session before `expires`.
    ended: Option<EndReason>,
    /// In the order of issue. The last one is unused.
    refresh_tokens: Vec<RefreshToken>,
}

/// A refresh token, and the access key ID of the credentials that it was exchanged for.
struct RefreshToken {
    token: SecretValue<String>,
    exchanged_for: Option<String>,
}

/// The OAuth clients of AWS Sign-In. AWS registers no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SigninClient {
    SameDevice,
    CrossDevice,
}

/// Why a session can't be refreshed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum EndReason {
    TokenExpired,
    UserCredentialsChanged,
}

impl SigninClient {
    /// Returns the client with an ID.
    pub(crate) fn with_id(id: &str) -> Option<Self> {
        [Self::SameDevice, Self::CrossDevice].into_iter().find(|client| client.id() == id)
    }

    /// Returns the client ID that clients send.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::SameDevice => "arn:aws:signin:::devtools/same-device",
            Self::CrossDevice => "arn:aws:signin:::devtools/cross-device",
        }
    }

    /// Returns the client's ARN in policies ("Actions, resources, and condition keys for AWS Signin").
    pub(crate) fn resource(self, partition: &str, session: &ConsoleSession) -> String {
        let name = if self == Self::SameDevice { "localhost" } else { "remote" };
        let account = session.identity.account();
        format!("arn:{partition}:signin:{}:{account}:oauth2/public-client/{name}", session.region)
    }
}

impl SigninState {
    /// Opens a login session and returns its refresh token.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(crate) fn open(
        &mut self,
        session: &ConsoleSession,
        client: SigninClient,
        thumbprint: String,
        now: SystemTime,
    ) -> Result<String, getrandom::Error> {
        let token = random::text()?;
        self.login_sessions.push(LoginSession {
            arn: session.login_session.clone(),
            client,
            thumbprint,
            opened: now,
            expires: timestamp::whole_seconds(now + session.session_lifetime),
            ended: None,
            refresh_tokens: vec![RefreshToken { token: SecretValue::new(token.clone()), exchanged_for: None }],
        });
        Ok(token)
    }

    /// Ends the login sessions of `arn`, or all of them, and returns how many. Credentials that they issued stay valid.
    pub(crate) fn end(&mut self, arn: Option<&str>, reason: EndReason) -> usize {
        let matching = self.login_sessions.iter_mut().filter(|session| arn.is_none_or(|arn| arn == session.arn));
        matching.map(|session| session.ended = Some(reason)).count()
    }
}

impl LoginSession {
    /// Returns the position of a refresh token, used or not.
    pub(crate) fn position(&self, token: &str) -> Option<usize> {
        self.refresh_tokens.iter().position(|known| known.token.expose() == token)
    }

    /// Checks that the session can be refreshed at `now`.
    ///
    /// # Errors
    /// It was ended, or it has expired.
    pub(crate) fn check_live(&self, now: SystemTime) -> Result<(), EndReason> {
        let expired = (self.expires <= now).then_some(EndReason::TokenExpired);
        self.ended.or(expired).map_or(Ok(()), Err)
    }

    /// Returns what a used token was exchanged for, while that is valid: the access key ID and the next refresh token.
    /// `None` for an unused token.
    ///
    /// "Multiple calls with same refresh_token return consistent results within validity window" (API reference).
    ///
    /// # Errors
    /// The token is unknown, or the credentials that it was exchanged for have expired.
    pub(crate) fn earlier_exchange(
        &self,
        token: &str,
        sessions: &Sessions,
        now: SystemTime,
    ) -> Result<Option<(String, String)>, EndReason> {
        let position = self.position(token).ok_or(EndReason::TokenExpired)?;
        let (Some(key), Some(next)) =
            (&self.refresh_tokens[position].exchanged_for, self.refresh_tokens.get(position + 1))
        else {
            return Ok(None);
        };
        let valid = sessions.find(key).is_some_and(|(credentials, _)| credentials.expires > now);
        if valid { Ok(Some((key.clone(), next.token.expose().clone()))) } else { Err(EndReason::TokenExpired) }
    }

    /// Records that the last token was exchanged for credentials, and adds the next one.
    pub(crate) fn rotate(&mut self, access_key_id: &str, next: &str) {
        if let Some(last) = self.refresh_tokens.last_mut() {
            last.exchanged_for = Some(access_key_id.to_owned());
        }
        self.refresh_tokens.push(RefreshToken { token: SecretValue::new(next.to_owned()), exchanged_for: None });
    }
}
