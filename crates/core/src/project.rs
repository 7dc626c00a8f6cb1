//! The project's file: found, read, approved.

pub mod approval;
pub mod config;
pub mod discover;
