//! State of console federation.

use std::collections::HashMap;
use std::time::SystemTime;

/// Sign-in tokens that were issued.
#[derive(Default)]
pub(crate) struct FederationState {
    /// ARN of the role session and expiration, by token.
    pub(crate) sign_in_tokens: HashMap<String, (String, SystemTime)>,
}
