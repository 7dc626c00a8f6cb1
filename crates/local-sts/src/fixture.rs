//! The fixture file: what this server knows when it starts.

pub(crate) mod console;
pub(crate) mod identity_center;
pub(crate) mod identity_provider;
pub(crate) mod sources;
pub(crate) mod world;
