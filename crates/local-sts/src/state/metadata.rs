//! State of the instance metadata service and the container endpoint.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::state::host_credentials::HostCredentials;

/// Tokens and current credentials of the hosts in the fixture.
#[derive(Default)]
pub(crate) struct MetadataState {
    /// Expiration of each session token of the instance metadata service (IMDSv2).
    pub(crate) tokens: HashMap<String, SystemTime>,
    pub(crate) instance: HostCredentials,
    pub(crate) container: HostCredentials,
}
