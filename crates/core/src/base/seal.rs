//! Bytes that only the holder of a key can read, and nobody can change or swap unnoticed.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The length of a key in bytes.
pub const KEY_BYTES: usize = 32;

/// XChaCha20's; so long that random ones never meet, however many there are.
const NONCE_BYTES: usize = 24;

/// A key; overwritten when dropped, and without `Debug`, as a [`Secret`](crate::base::secret::Secret) is.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// A new one. `None`: the system has no random numbers.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).ok()?;
        Some(Self(bytes))
    }

    /// A key that was kept somewhere. `None`: what was kept there is none.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        (bytes.len() == KEY_BYTES).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    /// Hands the key out, to the place that keeps it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Encrypts. `beside` isn't kept, and without the same it can't be opened.
    ///
    /// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), a random nonce in front. `None`: the system
    /// has no random numbers.
    #[must_use]
    pub fn seal(&self, plain: &[u8], beside: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload { msg: plain, aad: beside };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// Decrypts. `None`: another key, another `beside`, or not one bit as it was.
    #[must_use]
    pub fn open(&self, sealed: &[u8], beside: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: beside };
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
    fn what_was_sealed_is_opened_by_the_same_key_beside_the_same() {
        let key = Key::random().unwrap();
        let sealed = key.seal(b"canary", b"name").unwrap();
        assert_eq!(key.open(&sealed, b"name").unwrap().as_slice(), b"canary");
        assert!(key.open(&sealed, b"other").is_none());
        assert!(Key::random().unwrap().open(&sealed, b"name").is_none());
        assert!(sealed != key.seal(b"canary", b"name").unwrap(), "no nonce is used twice");
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
    }

    #[test]
    fn no_bit_and_no_byte_can_be_missed() {
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

    /// The example of the draft's appendix A.3.1: what others call XChaCha20-Poly1305.
    #[test]
    fn it_is_the_published_construction() {
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
