//! Random bytes from the operating system.

use data_encoding::BASE64URL_NOPAD;

/// Returns `N` random bytes.
///
/// # Errors
/// The system's random source failed.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Returns 256 random bits in base64url: an ID, a secret, a code or a token.
///
/// # Errors
/// As for [`bytes`].
pub(crate) fn text() -> Result<String, getrandom::Error> {
    Ok(BASE64URL_NOPAD.encode(&bytes::<32>()?))
}
