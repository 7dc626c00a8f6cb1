//! Decides which AWS role the shell of a directory holds.
//!
//! ```text
//! directory           Path
//!   │ discover        the nearest `.awsrole.toml` upward, read once
//! ConfigFile
//!   │ config          parsed, unknown keys refused; harmless
//! Config
//!   │ trust           has the user allowed these bytes at this path?
//! Allowed             only this can become a plan
//!   │ resolve         + ~/.aws files → source and steps, every value checked
//! RolePlan
//!   │ obtain          from the cache, or from STS step by step
//! Credentials
//!   │ environment     variables to set and to hide
//! EnvDiff
//!   │ shell           statements that the snippet applies
//! String
//! ```
//!
//! [`export`] walks this way for a shell and turns whatever happens into a state that the shell can
//! hold. Nothing here reads the clock, the process environment, the working directory or the
//! network: all that comes in as a [`context::Context`], and STS answers through [`sts::Sts`].

// The way, station by station.
pub mod discover;
pub mod config;
pub mod trust;
pub mod resolve;
pub mod plan;
pub mod obtain;
pub mod credentials;
pub mod environment;
pub mod shell;
pub mod export;

// What the stations are made of.
pub mod access_keys;
pub mod accounts;
pub mod advice;
pub mod arn;
pub mod cache;
pub mod choice;
pub mod console;
pub mod context;
pub mod digest;
pub mod doctor;
pub mod endpoint;
pub mod files;
pub mod generation;
pub mod history;
pub mod iso8601;
pub mod limits;
pub mod lock;
pub mod manual_change;
pub mod mfa;
pub mod pin;
pub mod policy;
pub mod problem;
pub mod profiles;
pub mod revocation;
pub mod rivals;
pub mod run;
pub mod seal;
pub mod secret;
pub mod snippet;
pub mod source;
pub mod state;
pub mod sts;
pub mod summary;
pub mod user_config;
pub mod vault;
pub mod views;
mod web_identity;
pub mod why;
