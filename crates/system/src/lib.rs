//! System-dependent code for both programs: their context, the backends of the cache encryption key, output, and
//! hardening.

pub mod ambient;
mod key_store;
mod memory;
pub mod print;

pub use key_store::System;
pub use memory::keep as protect_memory;
