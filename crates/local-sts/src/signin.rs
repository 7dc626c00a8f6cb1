//! AWS Sign-In: `aws login` and console federation.

pub(crate) mod authorize;
pub(crate) mod aws_login;
pub(crate) mod federation;
pub(crate) mod oauth2_token;
