//! SHA-256 digests, used as file names and identifiers.

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of the concatenated parts in lower-case hexadecimal.
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

/// Returns whether a text has the form of a [`sha256`] result.
///
/// Untrusted text must pass this check before it is used as a file name. Otherwise it could be a path to another file.
#[must_use]
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_lower_case_sha256_digests() {
        let digest = sha256(&[b"a", b"b"]);
        assert!(is_sha256(&digest) && is_sha256(&"0".repeat(64)));
        let upper = digest.to_uppercase();
        for other in ["", &digest[1..], &upper, &format!("{digest}0"), &format!("../{}", &digest[3..]), &"é".repeat(32)]
        {
            assert!(!is_sha256(other), "{other}");
        }
    }
}
