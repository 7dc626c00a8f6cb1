//! The system clock. Everything below the server gets the time as a value.
#![expect(clippy::disallowed_methods, reason = "the one place where this tool reads the clock")]

use std::time::SystemTime;

/// Returns the current time.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
