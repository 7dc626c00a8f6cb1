//! Names for what has none that would do as a file's.

use sha2::{Digest, Sha256};

/// The sha256 of some bytes, one part after the other, in hexadecimal.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Whether a text is one that [`sha256`] may return. What names a file and came from outside is held to this first,
/// or it could be a path to any other.
#[must_use]
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_passes_for_one() {
        let digest = sha256(&[b"a", b"b"]);
        assert!(is_sha256(&digest) && is_sha256(&"0".repeat(64)));
        let upper = digest.to_uppercase();
        for other in ["", &digest[1..], &upper, &format!("{digest}0"), &format!("../{}", &digest[3..]), &"é".repeat(32)]
        {
            assert!(!is_sha256(other), "{other}");
        }
    }
}
