//! Authenticated encryption: only the holder of the key can read the data, and any change is detected.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The length of a key in bytes.
pub const KEY_BYTES: usize = 32;

/// The nonce length of XChaCha20 in bytes. Random nonces of this length never collide in practice.
const NONCE_BYTES: usize = 24;

/// An encryption key. It is overwritten when dropped and has no `Debug`, like [`Secret`](crate::base::secret::Secret).
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// Generates a random key. Returns `None` if the system provides no random numbers.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).ok()?;
        Some(Self(bytes))
    }

    /// Creates a key from stored bytes. Returns `None` if the length is wrong.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        (bytes.len() == KEY_BYTES).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    /// Returns the key bytes for a backend that stores them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Encrypts `plain` and authenticates `aad`, which isn't stored and is required for decryption.
    ///
    /// Uses XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a random nonce, which precedes the ciphertext. Returns
    /// `None` if the system provides no random numbers.
    #[must_use]
    pub fn seal(&self, plain: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload { msg: plain, aad };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// Decrypts. Returns `None` if the key or `aad` differs, or if any bit was changed.
    #[must_use]
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_key_and_aad() {
        let key = Key::random().unwrap();
        let sealed = key.seal(b"canary", b"name").unwrap();
        assert_eq!(key.open(&sealed, b"name").unwrap().as_slice(), b"canary");
        assert!(key.open(&sealed, b"other").is_none());
        assert!(Key::random().unwrap().open(&sealed, b"name").is_none());
        assert!(sealed != key.seal(b"canary", b"name").unwrap(), "no nonce is used twice");
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
    }

    #[test]
    fn rejects_every_changed_bit_and_missing_byte() {
        let key = Key::random().unwrap();
        let sealed = key.seal(b"canary", b"name").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(&flipped, b"name").is_none(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(key.open(&sealed[..length], b"name").is_none(), "{length} bytes");
        }
        assert!(key.open(&[&sealed[..], b"x"].concat(), b"name").is_none());
    }

    /// The test vector of the draft's appendix A.3.1.
    #[test]
    fn matches_the_published_test_vector() {
        let bytes = |hex: &str| -> Vec<u8> {
            hex.as_bytes().chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
        };
        let key = Key::of_bytes(&(0x80..0xa0).collect::<Vec<u8>>()).unwrap();
        let sealed = bytes(concat!(
            "404142434445464748494a4b4c4d4e4f5051525354555657",
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb",
            "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452",
            "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9",
            "21f9664c97637da9768812f615c68b13b52e",
            "c0875924c1c7987947deafd8780acf49"
        ));
        let plain = key.open(&sealed, &bytes("50515253c0c1c2c3c4c5c6c7")).unwrap();
        assert!(plain.starts_with(b"Ladies and Gentlemen of the class of '99"));
    }
}
