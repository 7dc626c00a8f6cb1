//! AWS concepts: ARNs, parameters and their limits, credentials, profiles, endpoints and credential sources.

pub mod access_keys;
pub mod arn;
pub mod credentials;
pub mod credentials_file;
pub mod duration;
pub mod endpoint;
pub mod invalid;
pub mod iso8601;
pub mod mfa;
pub mod parameters;
pub mod policy_document;
pub mod preset;
pub mod profiles;
pub mod regions;
pub mod session_policy;
pub mod source;
pub mod sso_session;
pub mod time;
