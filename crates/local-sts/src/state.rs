//! The state that changes while the server runs.

pub(crate) mod access_key_id;
pub(crate) mod access_keys;
pub(crate) mod authentication;
pub(crate) mod authorization;
pub(crate) mod calls;
pub(crate) mod context;
pub(crate) mod faults;
pub(crate) mod federation;
pub(crate) mod host_credentials;
pub(crate) mod identity_center;
pub(crate) mod metadata;
pub(crate) mod mfa;
pub(crate) mod sessions;
pub(crate) mod signin;
