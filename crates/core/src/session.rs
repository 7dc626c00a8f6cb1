//! From a plan to credentials: from the cache, or fetched; and what is known of sessions.

pub mod advice;
pub mod cache;
pub mod console;
pub mod encryption;
pub mod fetch;
pub mod history;
pub mod lookup;
pub mod revocation;
pub mod sts;
mod web_identity;
