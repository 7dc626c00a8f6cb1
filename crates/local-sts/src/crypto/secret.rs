//! Secret values, which `Debug` never shows.

use std::fmt;

/// A secret key, a token or a seed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretValue<T>(T);

impl<T> SecretValue<T> {
    /// Wraps a value.
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. `grep expose` lists all uses.
    pub(crate) fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for SecretValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
