//! Plans a role from an approved file: the source and the steps, with every value checked.

pub mod account_pin;
pub mod limit;
mod partition;
pub mod requester;
pub mod required_policies;
pub mod resolve;
pub mod role_plan;
