//! AWS Sign-In's CreateOAuth2Token: a refresh token and a proof become credentials, for profiles with `login_session`.
//!
//! The rules are those of its API reference; what it leaves open is told in the README as a guess.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::crypto::secret::Secret;
use crate::fixture::console::{ConsoleSession, Person};
use crate::fixture::world::World;
use crate::protocol::error::Refusal;
use crate::protocol::request::Request;
use crate::protocol::response::Page;
use crate::protocol::{dpop, timestamp};
use crate::server::dispatch::Desk;
use crate::state::sessions::{Caller, Credentials, Holder, RoleSession, Sessions};
use crate::state::{authorization, identity_center};

/// Everything that Sign-In remembers.
#[derive(Default)]
pub(crate) struct Memory {
    sign_ins: Vec<SignIn>,
    proofs: dpop::Seen,
}

/// One `aws login`.
struct SignIn {
    login_session: String,
    client: Client,
    /// Of the key that refreshes must prove.
    thumbprint: String,
    since: SystemTime,
    ends: SystemTime,
    over: Option<Over>,
    /// The last one wasn't used yet.
    given: Vec<Given>,
}

/// A refresh token, with the key id of the credentials that it gave.
pub(crate) struct Given {
    token: Secret<String>,
    gave: Option<String>,
}

/// AWS's own clients, the only ones there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    SameDevice,
    CrossDevice,
}

/// Why a session gives nothing any more, though its time isn't over.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Over {
    TokenExpired,
    UserCredentialsChanged,
}

/// Which sessions end, and why; all of them when absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    login_session: Option<String>,
    error: Over,
}

/// CreateOAuth2Token's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wish {
    client_id: String,
    grant_type: String,
    refresh_token: Option<String>,
}

impl Given {
    /// The credentials are keys for a signature, no bearer's token.
    pub(crate) const TOKEN_TYPE: &str = "aws_sigv4";
}

impl Client {
    /// As clients send it.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::SameDevice => "arn:aws:signin:::devtools/same-device",
            Self::CrossDevice => "arn:aws:signin:::devtools/cross-device",
        }
    }

    /// As policies name it ("Actions, resources, and condition keys for AWS Signin").
    fn resource(self, partition: &str, session: &ConsoleSession) -> String {
        let name = if self == Self::SameDevice { "localhost" } else { "remote" };
        let account = session.person.account();
        format!("arn:{partition}:signin:{}:{account}:oauth2/public-client/{name}", session.region)
    }
}

impl Memory {
    /// Notes a new sign-in; returns its refresh token.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(crate) fn open(
        &mut self,
        session: &ConsoleSession,
        client: Client,
        thumbprint: String,
        now: SystemTime,
    ) -> Result<String, Refusal> {
        let token = identity_center::random_text()?;
        self.sign_ins.push(SignIn {
            login_session: session.login_session.clone(),
            client,
            thumbprint,
            since: now,
            ends: timestamp::whole_seconds(now + session.session_life),
            over: None,
            given: vec![Given { token: Secret::new(token.clone()), gave: None }],
        });
        Ok(token)
    }

    /// Ends sign-ins before their time; returns how many. Credentials that they gave go on.
    pub(crate) fn end(&mut self, order: &End) -> usize {
        let meant =
            |sign_in: &&mut SignIn| order.login_session.as_ref().is_none_or(|arn| *arn == sign_in.login_session);
        self.sign_ins.iter_mut().filter(meant).map(|sign_in| sign_in.over = Some(order.error)).count()
    }
}

/// Answers CreateOAuth2Token.
///
/// # Errors
/// `INVALID_REQUEST` for whatever is wrong with request, proof or token, `TOKEN_EXPIRED`, `USER_CREDENTIALS_CHANGED`,
/// `INSUFFICIENT_PERMISSIONS`.
pub(crate) fn answer(
    world: &World,
    sessions: &[ConsoleSession],
    desk: &mut Desk<'_>,
    request: &Request,
) -> Result<Page, Refusal> {
    let wish = Wish::read(request)?;
    desk.note(|call| call.grant_type = Some(wish.grant_type.clone()));
    let (client, token) = wish.check()?;
    let proof = dpop::check(request, &mut desk.signin.proofs, desk.now).map_err(invalid)?;
    let unknown = || invalid("the refresh token is unknown");
    let place = desk.signin.sign_ins.iter().position(|sign_in| sign_in.place(token).is_some()).ok_or_else(unknown)?;
    let Desk { signin, now, .. } = desk;
    let (sign_in, now) = (&signin.sign_ins[place], *now);
    let session = sessions.iter().find(|session| session.login_session == sign_in.login_session);
    let session = session.ok_or_else(unknown)?;
    if sign_in.client != client {
        return Err(invalid("the refresh token is another client's"));
    }
    if sign_in.thumbprint != proof.thumbprint {
        return Err(invalid("the proof's key isn't the one that the refresh token is bound to"));
    }
    sign_in.is_live(now)?;
    let (since, ends) = (sign_in.since, sign_in.ends);
    let repeated = sign_in.repeated(token, desk.sessions, now);
    desk.note(|call| call.login_session = Some(session.login_session.clone()));
    let caller = Caller { holder: holder(world, session, since), issued: Some(since) };
    if !authorization::permits(&caller, "signin:CreateOAuth2Token", &client.resource(&world.partition, session), now) {
        return Err(denied(403, "INSUFFICIENT_PERMISSIONS"));
    }
    if let Some((key, next)) = repeated? {
        let (credentials, _) = desk.sessions.find(&key).ok_or_else(Refusal::internal)?;
        return Ok(page(credentials, &next, now));
    }
    let next = identity_center::random_text()?;
    let expires = desk.expiry(session.access_life).min(ends);
    let credentials = desk.sessions.issue(caller.holder, now, expires)?;
    desk.signin.sign_ins[place].rotate(&credentials.access_key_id, &next);
    Ok(page(credentials, &next, now))
}

/// Whom the credentials of a session stand for that was opened at `since`.
pub(crate) fn holder(world: &World, session: &ConsoleSession, since: SystemTime) -> Holder {
    match &session.person {
        Person::User(user) => Holder::User { user: Arc::clone(user), mfa_at: session.mfa.then_some(since) },
        Person::Role(role, name) => Holder::Role(Arc::new(RoleSession::plain(&world.partition, role, name))),
    }
}

/// The one place where keys leave.
pub(crate) fn exposed(credentials: &Credentials) -> Value {
    json!({
        "accessKeyId": credentials.access_key_id,
        "secretAccessKey": credentials.secret.expose(),
        "sessionToken": credentials.token.expose(),
    })
}

/// Says no as Sign-In does: an exception's name in the header, OAuth's code in the body.
pub(crate) fn refused(refusal: &Refusal) -> Page {
    let Refusal { status, code, message } = refusal;
    let (status, exception, error) = match code.as_str() {
        "TOKEN_EXPIRED" | "AUTHCODE_EXPIRED" | "USER_CREDENTIALS_CHANGED" | "INSUFFICIENT_PERMISSIONS" => {
            (*status, "AccessDeniedException", code.as_str())
        }
        "INVALID_REQUEST" => (*status, "ValidationException", code.as_str()),
        "Throttling" => (429, "TooManyRequestsError", "INVALID_REQUEST"),
        _ if *status >= 500 => (*status, "InternalServerException", "server_error"),
        other => (*status, other, "INVALID_REQUEST"),
    };
    let page = Page::json(&json!({"error": error, "message": message}));
    Page { status, ..page }.header("x-amzn-errortype", exception.to_owned())
}

impl Wish {
    fn read(request: &Request) -> Result<Self, Refusal> {
        if request.method != "POST" || !request.query.is_empty() {
            return Err(invalid("only CreateOAuth2Token is played here: POST /v1/token without a query"));
        }
        let kind = request.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        if kind.trim() != "application/json" {
            return Err(invalid("the body must be JSON, and Content-Type must say so"));
        }
        serde_json::from_slice(&request.body).map_err(|error| invalid(format!("the body can't be read: {error}")))
    }

    /// The client and the refresh token.
    fn check(&self) -> Result<(Client, &str), Refusal> {
        let client = [Client::SameDevice, Client::CrossDevice].into_iter().find(|client| client.id() == self.client_id);
        let client = client.ok_or_else(|| invalid("clientId isn't one of AWS Sign-In's clients"))?;
        match (self.grant_type.as_str(), self.refresh_token.as_deref()) {
            ("refresh_token", Some(token)) if (1..=2048).contains(&token.len()) => Ok((client, token)),
            ("refresh_token", _) => Err(invalid("refreshToken must have 1 to 2048 characters")),
            ("authorization_code", _) => Err(invalid("authorization codes aren't played here")),
            _ => Err(invalid("grantType must be authorization_code or refresh_token")),
        }
    }
}

impl SignIn {
    fn place(&self, token: &str) -> Option<usize> {
        self.given.iter().position(|given| given.token.expose() == token)
    }

    fn is_live(&self, now: SystemTime) -> Result<(), Refusal> {
        match self.over {
            Some(Over::UserCredentialsChanged) => Err(denied(403, "USER_CREDENTIALS_CHANGED")),
            None if self.ends > now => Ok(()),
            _ => Err(expired()),
        }
    }

    /// What a used token gave, as long as that lives: "Multiple calls with same refresh_token return consistent results
    /// within validity window". Nothing for a token that wasn't used yet.
    fn repeated(&self, token: &str, sessions: &Sessions, now: SystemTime) -> Result<Option<(String, String)>, Refusal> {
        let place = self.place(token).ok_or_else(expired)?;
        let (Some(key), Some(next)) = (&self.given[place].gave, self.given.get(place + 1)) else {
            return Ok(None);
        };
        let lives = sessions.find(key).is_some_and(|(credentials, _)| credentials.expires > now);
        if lives { Ok(Some((key.clone(), next.token.expose().clone()))) } else { Err(expired()) }
    }

    fn rotate(&mut self, access_key_id: &str, next: &str) {
        if let Some(last) = self.given.last_mut() {
            last.gave = Some(access_key_id.to_owned());
        }
        self.given.push(Given { token: Secret::new(next.to_owned()), gave: None });
    }
}

fn page(credentials: &Credentials, refresh_token: &str, now: SystemTime) -> Page {
    let left = credentials.expires.duration_since(timestamp::whole_seconds(now)).unwrap_or(Duration::ZERO);
    Page::json(&json!({
        "accessToken": exposed(credentials),
        "tokenType": Given::TOKEN_TYPE,
        "expiresIn": left.as_secs(),
        "refreshToken": refresh_token,
    }))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "INVALID_REQUEST", message)
}

fn expired() -> Refusal {
    denied(401, "TOKEN_EXPIRED")
}

/// AWS's texts aren't published, so there is one for all: only the code tells these apart.
fn denied(status: u16, code: &str) -> Refusal {
    Refusal::new(status, code, "Access denied")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_and_their_codes() {
        for (status, code, expected) in [
            (401, "TOKEN_EXPIRED", (401, "AccessDeniedException", "TOKEN_EXPIRED")),
            (403, "INSUFFICIENT_PERMISSIONS", (403, "AccessDeniedException", "INSUFFICIENT_PERMISSIONS")),
            (400, "INVALID_REQUEST", (400, "ValidationException", "INVALID_REQUEST")),
            (400, "Throttling", (429, "TooManyRequestsError", "INVALID_REQUEST")),
            (503, "ServiceUnavailable", (503, "InternalServerException", "server_error")),
        ] {
            let page = refused(&Refusal::new(status, code, "m"));
            let (status, exception, error) = expected;
            assert_eq!((page.status, &page.headers[..]), (status, &[("x-amzn-errortype", exception.to_owned())][..]));
            assert_eq!(page.body, json!({"error": error, "message": "m"}).to_string());
        }
    }

    #[test]
    fn wishes_are_checked() {
        let same = Client::SameDevice.id();
        for (client, grant, token, expected) in [
            (same, "refresh_token", Some("t".to_owned()), None),
            (Client::CrossDevice.id(), "refresh_token", Some("t".repeat(2048)), None),
            ("arn:aws:signin:::devtools/other", "refresh_token", Some("t".to_owned()), Some("clientId")),
            (same, "refresh_token", Some("t".repeat(2049)), Some("refreshToken")),
            (same, "refresh_token", None, Some("refreshToken")),
            (same, "authorization_code", None, Some("codes")),
            (same, "password", Some("t".to_owned()), Some("grantType")),
        ] {
            let wish = Wish { client_id: client.into(), grant_type: grant.into(), refresh_token: token };
            let told = wish.check().map(drop).map_err(|refusal| refusal.message);
            assert_eq!(told.is_ok(), expected.is_none(), "{told:?}");
            assert!(told.is_ok() || expected.is_some_and(|part| told.is_err_and(|told| told.contains(part))));
        }
    }
}
