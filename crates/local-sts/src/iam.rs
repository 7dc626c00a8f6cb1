//! The part of Identity and Access Management that rotates keys and revokes sessions.

pub(crate) mod api;
