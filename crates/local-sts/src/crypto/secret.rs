//! A value that never shows up in a log or a `Debug` text.

use std::fmt;

/// A secret key, a token or a seed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretValue<T>(T);

impl<T> SecretValue<T> {
    /// Wraps a value.
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// Lets the value out; `grep expose` lists every place where that happens.
    pub(crate) fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for SecretValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
