//! What both programs need of the system: the context they run in, the store of the cache's key, output, and hardening.

pub mod ambient;
mod key_store;
mod memory;
pub mod print;

pub use key_store::System;
pub use memory::keep as protect_memory;
