//! Explains decisions, and makes none.

pub mod doctor;
pub mod profile_overrides;
pub mod startup;
pub mod summary;
pub mod why;
