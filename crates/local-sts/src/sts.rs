//! The Security Token Service.

pub(crate) mod api;
pub(crate) mod assume_role;
pub(crate) mod credentials;
pub(crate) mod misc_actions;
pub(crate) mod scoped_credentials;
pub(crate) mod web_identity;
