//! The user's settings.

pub mod account_names;
pub mod accounts;
pub mod agent;
pub mod key_names;
pub mod user_config;
