//! IAM Identity Center's `sso-oidc`: clients, device codes and tokens.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::crypto::random;
use crate::crypto::secret::Secret;
use crate::fixture::identity_center::IdentityCenter;
use crate::identity_center::create_token;
use crate::protocol::error::Refusal;
use crate::protocol::request::Request;
use crate::protocol::response::{self, Page, REQUEST_ID};
use crate::protocol::timestamp;
use crate::state::context::RequestContext;
use crate::state::identity_center::{Client, Decision, Device, Grant};

/// The one scope that the portal knows.
pub(crate) const SCOPE: &str = "sso:account:access";
/// Letters that don't make words or look like others.
const USER_CODE_LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Registration {
    client_name: String,
    client_type: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    grant_types: Option<Vec<String>>,
    issuer_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DeviceRequest {
    client_id: String,
    client_secret: String,
    start_url: String,
}

/// Answers an action of `sso-oidc`.
///
/// # Errors
/// The service's exceptions; `InvalidRequestException` for a body that its model doesn't have.
pub(crate) fn answer(
    center: &IdentityCenter,
    desk: &mut RequestContext<'_>,
    action: &str,
    request: &Request,
) -> Result<Page, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::new(405, "InvalidRequestException", "This is asked with POST"));
    }
    match action {
        "RegisterClient" => register(center, desk, read(request)?),
        "StartDeviceAuthorization" => start_device(center, desk, request),
        _ => create_token::answer(center, desk, &read(request)?),
    }
}

/// Renders an error: the exception's name in a header, OAuth's code in the body.
pub(crate) fn error_response(error: &Refusal) -> Page {
    Page::json(&json!({"error": oauth_code(&error.code), "error_description": error.message}))
        .with_status(error.status)
        .header("x-amzn-errortype", error.code.clone())
        .header(REQUEST_ID, response::request_id())
}

fn register(center: &IdentityCenter, desk: &mut RequestContext<'_>, wish: Registration) -> Result<Page, Refusal> {
    if wish.client_name.is_empty() {
        return Err(invalid_request("clientName is empty"));
    }
    if wish.client_type != "public" {
        return Err(Refusal::new(400, "InvalidClientMetadataException", "clientType must be public"));
    }
    if wish.scopes.iter().any(|scope| scope != SCOPE) {
        return Err(Refusal::new(400, "InvalidScopeException", format!("the only scope here is {SCOPE}")));
    }
    let grants = match &wish.grant_types {
        Some(names) => names
            .iter()
            .map(|name| Grant::parse(name))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Refusal::new(400, "UnsupportedGrantTypeException", "a grant type is unknown"))?,
        None => vec![Grant::DeviceCode, Grant::RefreshToken],
    };
    if grants.contains(&Grant::AuthorizationCode) {
        if wish.redirect_uris.is_empty() || !wish.redirect_uris.iter().all(|uri| loopback_path(uri).is_some()) {
            let message = "redirectUris must be http on a loopback address";
            return Err(Refusal::new(400, "InvalidRedirectUriException", message));
        }
        known_start_url(center, wish.issuer_url.as_deref().unwrap_or_default())?;
    }
    let (id, secret) = (random::text()?, random::text()?);
    let ends = desk.expiry(center.lives.client);
    let answer = json!({
        "clientId": id,
        "clientSecret": secret,
        "clientIdIssuedAt": timestamp::unix_seconds(desk.now),
        "clientSecretExpiresAt": timestamp::unix_seconds(ends),
    });
    let client = Client {
        secret: Secret::new(secret),
        ends,
        grants,
        scoped: !wish.scopes.is_empty(),
        redirects: wish.redirect_uris,
        issuer: wish.issuer_url,
    };
    desk.state.identity_center.clients.insert(id, client);
    Ok(Page::json(&answer))
}

fn start_device(center: &IdentityCenter, desk: &mut RequestContext<'_>, request: &Request) -> Result<Page, Refusal> {
    let wish: DeviceRequest = read(request)?;
    let client = client(desk, &wish.client_id, &wish.client_secret)?;
    if !client.grants.contains(&Grant::DeviceCode) {
        return Err(Refusal::new(400, "UnauthorizedClientException", "the client isn't registered for device codes"));
    }
    known_start_url(center, &wish.start_url)?;
    let (code, user_code) = (random::text()?, user_code()?);
    let host = request.header("host").unwrap_or("127.0.0.1");
    let answer = json!({
        "deviceCode": code,
        "userCode": user_code,
        "verificationUri": format!("http://{host}/device"),
        "verificationUriComplete": format!("http://{host}/device?user_code={user_code}"),
        "expiresIn": desk.lifetime(center.lives.device_code).as_secs(),
        "interval": center.lives.interval.as_secs(),
    });
    desk.state.identity_center.devices.push(Device {
        code: Secret::new(code),
        user_code,
        client_id: wish.client_id,
        start_url: wish.start_url,
        ends: desk.expiry(center.lives.device_code),
        polled: None,
        decision: Decision::Pending,
    });
    Ok(Page::json(&answer))
}

/// Finds a client by its id and secret.
///
/// # Errors
/// `InvalidClientException`, also for one whose time is over.
pub(crate) fn client<'a>(desk: &'a RequestContext<'_>, id: &str, secret: &str) -> Result<&'a Client, Refusal> {
    let found = desk.state.identity_center.clients.get(id);
    found
        .filter(|client| client.secret.expose() == secret && client.ends > desk.now)
        .ok_or_else(|| Refusal::new(401, "InvalidClientException", "Invalid client provided"))
}

/// The path of a redirect URI on a loopback address. The port isn't part of what is registered (RFC 8252).
pub(crate) fn loopback_path(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/')?);
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find_map(|host| authority.strip_prefix(host))?;
    let port = host.strip_prefix(':').map(str::parse::<u16>);
    (host.is_empty() || matches!(port, Some(Ok(_)))).then_some(path)
}

/// `InvalidRequestException`.
pub(crate) fn invalid_request(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidRequestException", message)
}

fn known_start_url(center: &IdentityCenter, url: &str) -> Result<(), Refusal> {
    let known = center.assignments.iter().any(|assignment| assignment.start_url == url);
    if known { Ok(()) } else { Err(invalid_request(format!("`{url}` is no start URL of this Identity Center"))) }
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| invalid_request(error.to_string()))
}

/// Eight letters with a hyphen, such as `BCDF-GHJK`.
fn user_code() -> Result<String, Refusal> {
    let bytes = random::bytes::<8>()?;
    let letter = |byte: &u8| char::from(USER_CODE_LETTERS[usize::from(*byte) % USER_CODE_LETTERS.len()]);
    let letters: Vec<char> = bytes.iter().map(letter).collect();
    Ok(letters[..4].iter().chain(['-'].iter()).chain(&letters[4..]).collect())
}

/// Returns OAuth's code for an exception: `slow_down` for `SlowDownException`.
fn oauth_code(code: &str) -> String {
    let mut result = String::new();
    for c in code.strip_suffix("Exception").unwrap_or(code).chars() {
        if c.is_ascii_uppercase() && !result.is_empty() {
            result.push('_');
        }
        result.push(c.to_ascii_lowercase());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_oauth() {
        for (code, expected) in [
            ("AuthorizationPendingException", "authorization_pending"),
            ("InvalidGrantException", "invalid_grant"),
            ("Throttling", "throttling"),
            ("", ""),
        ] {
            assert_eq!(oauth_code(code), expected);
        }
    }

    #[test]
    fn redirects_go_to_loopback_only() {
        for (uri, expected) in [
            ("http://127.0.0.1/oauth/callback", Some("/oauth/callback")),
            ("http://127.0.0.1:8080/oauth/callback", Some("/oauth/callback")),
            ("http://[::1]:1/", Some("/")),
            ("http://localhost/x", Some("/x")),
            ("http://127.0.0.1", None),
            ("http://127.0.0.1.example.com/x", None),
            ("http://127.0.0.1:80@example.com/x", None),
            ("http://127.0.0.1:/x", None),
            ("https://127.0.0.1/x", None),
        ] {
            assert_eq!(loopback_path(uri), expected, "{uri}");
        }
    }

    #[test]
    fn user_codes_can_be_read_aloud() {
        let code = user_code().unwrap();
        let (one, other) = code.split_once('-').unwrap();
        assert!([one, other].iter().all(|half| half.len() == 4 && half.bytes().all(|b| b.is_ascii_uppercase())));
    }
}
