//! What this process finds around it: the clock and the system's randomness, and nothing else.
#![expect(clippy::disallowed_methods, reason = "the one place where this tool reads the clock")]

use std::time::SystemTime;

/// Reads the system's clock.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns `N` random bytes.
///
/// # Errors
/// The system's random source failed.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
