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
//!   │ lookup          from the cache
//!   │ fetch           otherwise step by step, from sources and STS
//! Credentials
//!   │ environment     variables to set and to hide
//! EnvDiff
//!   │ shell           statements that the snippet applies
//! String
//! ```
//!
//! [`shell::export`] goes this way for a shell, and turns whatever happens into a state that the shell can hold.
//! Nothing
//! here reads the clock, the process environment, the working directory or the network: all that comes in as a
//! [`base::context::Context`], and STS answers through [`session::sts::Sts`].

// The layers, lowest first: each imports from those above it in this list, and none from below.
pub mod base;
pub mod aws;
pub mod settings;
pub mod project;
pub mod plan;
pub mod session;
pub mod shell;
pub mod explain;
