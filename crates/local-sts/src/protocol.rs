//! HTTP requests and responses, and how AWS signs, checks and encodes them.

pub(crate) mod constraints;
pub(crate) mod dpop;
pub(crate) mod error;
pub(crate) mod query;
pub(crate) mod redirect;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod sigv4;
pub(crate) mod timestamp;
