//! Obtains a plan's credentials from the cache or by fetching them, and manages sessions.

pub mod advice;
pub mod assignments;
pub mod cache;
pub mod console;
pub mod encryption;
pub mod fetch;
pub mod history;
pub mod lookup;
pub mod revocation;
pub mod sts;
mod web_identity;
