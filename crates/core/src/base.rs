//! The lowest layer: context, files, locks, digests, secrets and problems.

pub mod agent;
pub mod cache_key_backend;
pub mod context;
pub mod digest;
pub mod files;
pub mod location;
pub mod lock;
pub mod marked_block;
pub mod problem;
pub mod quote;
pub mod seal;
pub mod secret;
pub mod suggest;
pub mod toml_error;
pub mod user_file;
pub mod wrap;
