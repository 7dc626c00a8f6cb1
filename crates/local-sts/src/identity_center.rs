//! IAM Identity Center: OIDC, access portal and the browser pages.

pub(crate) mod browser;
pub(crate) mod clients;
pub(crate) mod create_token;
pub(crate) mod exceptions;
pub(crate) mod oidc;
pub(crate) mod portal;
