//! Valid and invalid identity tokens of the fixture's providers, for tests.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::crypto::jwt::JwtSigner;
use crate::fixture::identity_provider::{OWN_KEY, OidcProvider};
use crate::fixture::world::World;
use crate::protocol::timestamp;

/// The body of `POST /_local/id-token`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct IdTokenRequest {
    /// The provider's URL, by default that of the first provider.
    provider: Option<String>,
    subject: Option<String>,
    /// By default the provider's first client ID.
    audience: Option<Value>,
    /// By default an hour. A token with a negative lifetime has expired.
    lifetime_seconds: Option<i64>,
    /// Claims to add or replace. `null` removes one.
    claims: Map<String, Value>,
    /// Signs with a key that the provider doesn't have.
    foreign_key: bool,
}

/// Signs a token.
///
/// # Errors
/// The body can't be parsed, or there is no such provider.
pub(crate) fn mint(world: &World, body: &[u8], now: SystemTime) -> Result<String, String> {
    let body = if body.is_empty() { b"{}" } else { body };
    let body: IdTokenRequest = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let wanted = |provider: &&OidcProvider| body.provider.as_ref().is_none_or(|url| *url == provider.url);
    let provider = world.sources.oidc_providers.iter().find(wanted).ok_or("there is no such [[oidc_provider]]")?;
    let now = timestamp::unix_seconds(now);
    let end = now.saturating_add_signed(body.lifetime_seconds.unwrap_or(3600));
    let mut claims = Map::new();
    for (name, value) in [
        ("iss", json!(provider.url)),
        ("sub", json!(body.subject.as_deref().unwrap_or("subject"))),
        ("aud", body.audience.unwrap_or_else(|| json!(provider.client_ids.first()))),
        // Not after `exp`, even if that is in the past.
        ("iat", json!(now.min(end))),
        ("exp", json!(end)),
    ] {
        claims.insert(name.to_owned(), value);
    }
    claims.extend(body.claims);
    claims.retain(|_, value| !value.is_null());
    let no_randomness = "the system has no randomness";
    let token = if body.foreign_key {
        JwtSigner::new().ok_or(no_randomness)?.sign(OWN_KEY, &claims)
    } else {
        provider.signer.sign(OWN_KEY, &claims)
    };
    token.ok_or_else(|| no_randomness.to_owned())
}
