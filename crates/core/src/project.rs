//! The project file: discovery, parsing and approval.

pub mod approval;
pub mod config;
pub mod discover;
pub mod worktree;
