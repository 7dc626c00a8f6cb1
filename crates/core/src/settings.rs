//! The user's settings.

pub mod accounts;
pub mod user_config;
