//! The fixture file: what this server knows when it starts.

pub(crate) mod check;
pub(crate) mod console;
pub(crate) mod identity_center;
pub(crate) mod identity_provider;
pub(crate) mod role;
pub(crate) mod sources;
pub(crate) mod user;
pub(crate) mod world;
