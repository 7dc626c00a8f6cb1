//! Credentials that a host hands out: the EC2 instance metadata service and the container endpoint.

pub(crate) mod container;
pub(crate) mod instance;
