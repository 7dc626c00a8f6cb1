//! Decides which role a directory's shell holds.
#![doc = ""]
pub mod arn;
pub mod config;
pub mod context;
pub mod discover;
pub mod files;
pub mod limits;
pub mod problem;
pub mod secret;
