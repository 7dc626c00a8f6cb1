//! From an approved file to the plan of a role: source and steps, each value checked.

pub mod account_pin;
pub mod required_policies;
pub mod resolve;
pub mod role_plan;
