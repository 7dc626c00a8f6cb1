//! A value that must not be seen.

use zeroize::Zeroizing;

/// Holds a secret key or a session token and overwrites it when dropped.
///
/// It has no `Debug` and no `Display`, so neither a log line nor an error text can carry it, and a
/// type that holds one can't derive them either. `grep -rn 'expose()' crates` lists every place
/// where a secret leaves: the renderings for a person's processes ([`crate::shell::statements`]), the console's
/// address ([`crate::session::console`]), the cache ([`crate::session::cache`]) and the calls to AWS (the `awsrole-sts`
/// crate).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Hands the secret out. Each caller is a place that a review must look at.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}
