//! Credentials in the responses of STS.

use crate::protocol::query::Answer;
use crate::protocol::timestamp;
use crate::state::sessions::Credentials;

/// Returns the `Credentials` element. STS exposes secrets nowhere else.
pub(crate) fn element(credentials: &Credentials) -> Answer {
    let inner = Answer::default()
        .element("AccessKeyId", &credentials.access_key_id)
        .element("SecretAccessKey", credentials.secret.expose())
        .element("SessionToken", credentials.token.expose())
        .element("Expiration", &timestamp::rfc3339(credentials.expires));
    Answer::default().group("Credentials", &inner)
}
