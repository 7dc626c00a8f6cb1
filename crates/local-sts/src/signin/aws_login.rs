//! The cache file that `aws login` writes: a new login session with its key.
//!
//! A test asks for the result, without the browser, the consent and the code of [`super::authorize`].

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::crypto::device_key::DeviceKey;
use crate::fixture::console::ConsoleSession;
use crate::fixture::world::World;
use crate::protocol::timestamp;
use crate::signin::oauth2_token;
use crate::state::sessions::{IssuedCredentials, Sessions};
use crate::state::signin::{SigninClient, SigninState};

/// Opens a login session and returns the content of the cache file. Returns `None` if the system has no randomness.
pub(crate) fn cache_file(
    world: &World,
    sessions: &mut Sessions,
    signin: &mut SigninState,
    session: &ConsoleSession,
    client: SigninClient,
    now: SystemTime,
) -> Option<Value> {
    let key = DeviceKey::new()?;
    let owner = oauth2_token::owner(world, session, now);
    let expires = timestamp::whole_seconds(now + session.access_lifetime.min(session.session_lifetime));
    let refresh_token = signin.open(session, client, key.thumbprint()?, now).ok()?;
    let id_token = oauth2_token::id_token(session, client, now)?;
    let credentials = sessions.issue(owner, now, expires).ok()?;
    Some(json!({
        "accessToken": access_token(session, credentials),
        "tokenType": oauth2_token::TOKEN_TYPE,
        "refreshToken": refresh_token,
        "idToken": id_token,
        "clientId": client.id(),
        "dpopKey": key.pem(),
    }))
}

/// Returns the keys with account and expiration, which the service's response lacks.
fn access_token(session: &ConsoleSession, credentials: &IssuedCredentials) -> Value {
    let mut token = oauth2_token::exposed(credentials);
    token["accountId"] = session.identity.account().into();
    token["expiresAt"] = timestamp::rfc3339(credentials.expires).into();
    token
}
