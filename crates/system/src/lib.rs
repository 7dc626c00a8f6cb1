//! System-dependent code for both programs: their context, the backends of the cache encryption key, output, and
//! hardening.

pub mod ambient;
mod key_store;
mod hardening;
pub mod parent;
pub mod local_time;
pub mod print;
mod version;

pub use hardening::disable_core_dumps as protect_memory;
pub use key_store::System;
pub use version::version;
