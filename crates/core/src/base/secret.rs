//! Secret values that are never printed.

use zeroize::Zeroizing;

/// A secret key or a session token. It is overwritten when dropped.
///
/// It has no `Debug` and no `Display`, so neither a log line nor an error text can contain it, and a type that holds
/// one can't derive them either. `grep -rn 'expose()' crates` lists every place where a secret leaves this type: the
/// output for shells and programs ([`crate::shell::statements`]), the console URL ([`crate::session::console`]), the
/// cache ([`crate::session::cache`]) and the calls to AWS (the `awsrole-sts` crate).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the secret. Every caller needs a security review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}
