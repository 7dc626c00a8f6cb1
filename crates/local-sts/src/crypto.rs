//! Randomness, secrets, and the algorithms that tokens and one-time codes are made with.

pub(crate) mod device_key;
pub(crate) mod jwk;
pub(crate) mod jwt;
pub(crate) mod pkce;
pub(crate) mod random;
pub(crate) mod secret;
pub(crate) mod totp;
