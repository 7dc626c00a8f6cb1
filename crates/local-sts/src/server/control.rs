//! The control interface for tests under `/_local/`: JSON, unsigned, and not in the call log.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::crypto::totp;
use crate::fixture::console::ConsoleSession;
use crate::fixture::world::World;
use crate::protocol::request::HttpRequest;
use crate::protocol::response::HttpResponse;
use crate::protocol::timestamp;
use crate::server::clock;
use crate::server::id_token;
use crate::signin::aws_login;
use crate::state::context::ServerState;
use crate::state::identity_center::BrowserUser;
use crate::state::signin::{EndReason, SigninClient};

/// Status and text of an error.
type ControlError = (u16, String);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    access_key_id: Option<String>,
}

/// `refresh` ends refresh tokens, too: the user must sign in again.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExpireSso {
    refresh: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    user_code: String,
    user: Option<String>,
    #[serde(default)]
    deny: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Browser {
    user: Option<String>,
    deny: bool,
}

/// Selects the console session that `aws login` opens, by default the first one, and the device of the browser.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsoleLogin {
    login_session: Option<String>,
    #[serde(default)]
    cross_device: bool,
}

/// Selects the login sessions that end, by default all, and the reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndConsole {
    login_session: Option<String>,
    error: EndReason,
}

#[derive(Serialize)]
struct Expired {
    expired: usize,
}

#[derive(Serialize)]
struct TotpCode {
    code: String,
    seconds_left: u64,
    used: bool,
}

#[derive(Serialize)]
struct IdToken {
    token: String,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

/// Answers a control request. `path` is the part after `/_local/`.
pub(crate) fn handle(world: &World, state: &mut ServerState, path: &str, request: &HttpRequest) -> HttpResponse {
    let (status, body) = match dispatch(world, state, path, request) {
        Ok(body) => (200, body),
        Err((status, error)) => (status, serde_json::to_string(&ErrorBody { error: &error }).unwrap_or_default()),
    };
    HttpResponse { status, content_type: "application/json", body, headers: vec![] }
}

fn dispatch(world: &World, state: &mut ServerState, path: &str, request: &HttpRequest) -> Result<String, ControlError> {
    match (request.method.as_str(), path) {
        ("GET", "calls") => json(state.calls.all()),
        ("GET", "sessions") => json(&state.sessions.arns()),
        ("GET", "counts") => json(&state.calls.counts()),
        ("DELETE", "calls") => {
            state.calls.reset();
            json(&())
        }
        ("POST", "faults") => {
            state.faults.add(&request.body).map_err(|error| (400, error))?;
            json(&())
        }
        ("DELETE", "faults") => {
            state.faults.clear();
            json(&())
        }
        ("POST", "expire") => {
            let body: Expire = read(&request.body)?;
            // The session must have expired even if a fault sets the clock back.
            let now = timestamp::moved(clock::now(), state.faults.clock_offset_seconds().min(0));
            json(&Expired { expired: state.sessions.expire(body.access_key_id.as_deref(), now) })
        }
        ("POST", "expire-sso") => {
            let body: ExpireSso = read(&request.body)?;
            state.identity_center.expire(body.refresh);
            json(&())
        }
        ("POST", "approve") => {
            let body: Approve = read(&request.body)?;
            let now = timestamp::moved(clock::now(), state.faults.clock_offset_seconds());
            let browser_user = BrowserUser { user: body.user, denies: body.deny };
            let center = world.sources.identity_center.as_ref();
            let center = center.ok_or_else(|| (404, "the fixture has no [[sso_assignment]]".to_owned()))?;
            state.identity_center.decide(center, &body.user_code, &browser_user, now).map_err(|error| (400, error))?;
            json(&())
        }
        ("POST", "browser") => {
            let body: Browser = read(&request.body)?;
            state.identity_center.browser_user = BrowserUser { user: body.user, denies: body.deny };
            json(&())
        }
        ("POST", "console-login") => {
            let now = timestamp::moved(clock::now(), state.faults.clock_offset_seconds());
            let body: ConsoleLogin = read(&request.body)?;
            let session = body.session(world)?;
            let client = if body.cross_device { SigninClient::CrossDevice } else { SigninClient::SameDevice };
            let ServerState { sessions, signin, .. } = state;
            let file = aws_login::cache_file(world, sessions, signin, session, client, now);
            json(&file.ok_or_else(|| (500, "the system has no randomness".to_owned()))?)
        }
        ("POST", "console-browser") => {
            state.signin.browser = read(&request.body)?;
            json(&())
        }
        ("POST", "end-console") => {
            let body: EndConsole = read(&request.body)?;
            json(&Expired { expired: state.signin.end(body.login_session.as_deref(), body.error) })
        }
        ("POST", "id-token") => {
            let now = timestamp::moved(clock::now(), state.faults.clock_offset_seconds());
            let token = id_token::mint(world, &request.body, now).map_err(|error| (400, error))?;
            json(&IdToken { token })
        }
        ("GET", "totp") => json(&totp_code(world, state, request)?),
        _ => Err((404, format!("there is no {} /_local/{path}", request.method))),
    }
}

impl ConsoleLogin {
    fn session<'w>(&self, world: &'w World) -> Result<&'w ConsoleSession, ControlError> {
        let wanted =
            |session: &&ConsoleSession| self.login_session.as_ref().is_none_or(|arn| *arn == session.login_session);
        let found = world.sources.console_sessions.iter().find(wanted);
        found.ok_or_else(|| (404, format!("the fixture has no console session {:?}", self.login_session)))
    }
}

/// Returns the code of a user's MFA device. `steps` selects an earlier or later time step.
fn totp_code(world: &World, state: &ServerState, request: &HttpRequest) -> Result<TotpCode, ControlError> {
    let user = request.query_value("user").ok_or_else(|| (400, "the query must have ?user=NAME".to_owned()))?;
    let steps: i64 = match request.query_value("steps") {
        Some(text) => text.parse().map_err(|_| (400, "steps must be a whole number".to_owned()))?,
        None => 0,
    };
    let devices = world.users.iter().filter(|candidate| candidate.name == user || candidate.arn == user);
    let device = devices.filter_map(|user| user.device.as_ref()).next();
    let device = device.ok_or_else(|| (404, format!("no user `{user}` has a device")))?;
    let seconds = timestamp::unix_seconds(timestamp::moved(clock::now(), state.faults.clock_offset_seconds()));
    let step = totp::step(seconds).saturating_add_signed(steps);
    Ok(TotpCode {
        code: totp::code(device.seed.expose(), step),
        seconds_left: totp::STEP_SECONDS - seconds % totp::STEP_SECONDS,
        used: state.used_codes.contains(&device.serial, step),
    })
}

/// Parses a body. An empty one is `{}`.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, ControlError> {
    serde_json::to_string(value).map_err(|error| (500, error.to_string()))
}
