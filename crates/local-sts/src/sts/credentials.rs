//! Credentials in the responses of STS.

use crate::protocol::query::QueryResponse;
use crate::protocol::timestamp;
use crate::state::sessions::IssuedCredentials;

/// Returns the `Credentials` element. STS exposes secrets nowhere else.
pub(crate) fn element(credentials: &IssuedCredentials) -> QueryResponse {
    let inner = QueryResponse::default()
        .element("AccessKeyId", &credentials.access_key_id)
        .element("SecretAccessKey", credentials.secret.expose())
        .element("SessionToken", credentials.token.expose())
        .element("Expiration", &timestamp::rfc3339(credentials.expires));
    QueryResponse::default().group("Credentials", &inner)
}
