//! Explains all of it, and decides nothing.

pub mod doctor;
pub mod profile_overrides;
pub mod summary;
pub mod why;
