//! What `aws login` leaves behind: a sign-in, and the file in which the clients look for it.
//!
//! The browser, the consent and the code are not played: a test orders the outcome.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::crypto::device_key::DeviceKey;
use crate::crypto::jwt::Signer;
use crate::fixture::console::ConsoleSession;
use crate::fixture::world::World;
use crate::protocol::timestamp;
use crate::server::control::Failure;
use crate::signin::oauth2_token::{self, Client, Given, Memory};
use crate::state::sessions::{Credentials, Sessions};

/// Which session, and on which device the browser was; the first session and the same device when absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    login_session: Option<String>,
    #[serde(default)]
    cross_device: bool,
}

/// Signs in; returns the token file's content.
///
/// # Errors
/// The fixture has no such session, or the system no randomness.
pub(crate) fn document(
    world: &World,
    sessions: &mut Sessions,
    memory: &mut Memory,
    order: &Order,
    now: SystemTime,
) -> Result<Value, Failure> {
    let failed = || (500, "the system has no randomness".to_owned());
    let mut known = world.sources.console_sessions.iter();
    let session =
        known.find(|session| order.login_session.as_ref().is_none_or(|wanted| *wanted == session.login_session));
    let session =
        session.ok_or_else(|| (404, format!("the fixture has no console session {:?}", order.login_session)))?;
    let client = if order.cross_device { Client::CrossDevice } else { Client::SameDevice };
    let key = DeviceKey::new().ok_or_else(failed)?;
    let thumbprint = key.thumbprint().ok_or_else(failed)?;
    let holder = oauth2_token::holder(world, session, now);
    let expires = timestamp::whole_seconds(now + session.access_life.min(session.session_life));
    let refresh = memory.open(session, client, thumbprint, now).map_err(|_| failed())?;
    let id_token = id_token(session, client, now).ok_or_else(failed)?;
    let credentials = sessions.issue(holder, now, expires).map_err(|_| failed())?;
    Ok(json!({
        "accessToken": access_token(session, credentials),
        "tokenType": Given::TOKEN_TYPE,
        "refreshToken": refresh,
        "idToken": id_token,
        "clientId": client.id(),
        "dpopKey": key.pem(),
    }))
}

/// As the file has it: with account and time, which the service's answer lacks.
fn access_token(session: &ConsoleSession, credentials: &Credentials) -> Value {
    let mut token = oauth2_token::exposed(credentials);
    token["accountId"] = session.person.account().into();
    token["expiresAt"] = timestamp::rfc3339(credentials.expires).into();
    token
}

/// Clients keep it and don't look into it, so nobody needs its key.
fn id_token(session: &ConsoleSession, client: Client, now: SystemTime) -> Option<String> {
    let now = timestamp::unix_seconds(now);
    let claims = json!({
        "iss": "https://signin.aws.amazon.com/signin", "sub": session.login_session, "aud": client.id(),
        "iat": now, "exp": now + session.session_life.as_secs(),
    });
    Signer::new()?.sign("local", claims.as_object()?)
}
