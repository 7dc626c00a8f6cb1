//! The HTTP server: connections, routes, and the control interface of the tests.

pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod dispatch;
pub(crate) mod http;
pub(crate) mod id_token;
pub(crate) mod routes;
