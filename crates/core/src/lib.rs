//! Decides which AWS role a shell in a directory gets.
//!
//! ```text
//! directory           Path
//!   │ discover        the nearest `.awsrole.toml` upward, read once
//! ConfigFile
//!   │ config          parsed, unknown keys are rejected, no side effects
//! Config
//!   │ approval        has the user allowed this content at this path?
//! Allowed             the only type that can become a plan
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
//! [`shell::export`] runs these stages for a shell. It turns every failure into a state that the shell can hold.
//!
//! Nothing here reads the clock, the process environment, the working directory or the network. The first three are
//! passed in a [`base::context::Context`], and network calls are made through traits such as [`session::sts::Sts`].

// The layers, lowest first. Each layer imports only from the layers above it in this list.
pub mod base;
pub mod aws;
pub mod settings;
pub mod project;
pub mod plan;
pub mod session;
pub mod shell;
pub mod explain;
