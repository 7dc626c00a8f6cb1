//! Time-based one-time passwords (TOTP, RFC 6238): SHA-1, 30 seconds, six digits.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Duration of a time step.
pub(crate) const STEP_SECONDS: u64 = 30;

/// Returns the number of the time step.
pub(crate) fn step(unix_seconds: u64) -> u64 {
    unix_seconds / STEP_SECONDS
}

/// Returns the code of a time step.
pub(crate) fn code(seed: &[u8], step: u64) -> String {
    format!("{:06}", truncated(seed, step) % 1_000_000)
}

/// Returns 31 bits of the HMAC by dynamic truncation (RFC 4226).
fn truncated(seed: &[u8], step: u64) -> u32 {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(seed) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 0x0f);
    let part = [digest[offset], digest[offset + 1], digest[offset + 2], digest[offset + 3]];
    u32::from_be_bytes(part) & 0x7fff_ffff
}

/// Returns the time step of a code that STS accepts: the current one, the previous or the next.
pub(crate) fn accepted_step(seed: &[u8], unix_seconds: u64, given: &str) -> Option<u64> {
    let current = step(unix_seconds);
    [current, current.saturating_sub(1), current + 1].into_iter().find(|step| code(seed, *step) == given)
}

/// Parses a seed in base32. Spaces and lower case are allowed, padding is optional.
pub(crate) fn parse_seed(text: &str) -> Option<Vec<u8>> {
    let letters: String = text.chars().filter(|c| !c.is_whitespace() && *c != '=').collect();
    data_encoding::BASE32_NOPAD.decode(letters.to_ascii_uppercase().as_bytes()).ok().filter(|seed| !seed.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the SHA-1 column. The codes there have eight digits.
    #[test]
    fn rfc_6238_vectors() {
        let seed = b"12345678901234567890";
        let cases = [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ];
        for (time, expected) in cases {
            assert_eq!(truncated(seed, step(time)) % 100_000_000, expected, "at {time}");
        }
        assert_eq!(code(seed, step(1_234_567_890)), "005924");
    }

    #[test]
    fn only_neighbours_are_accepted() {
        let seed = b"12345678901234567890";
        for (away, taken) in [(-2_i64, false), (-1, true), (0, true), (1, true), (2, false)] {
            let shown = code(seed, step(3000).saturating_add_signed(away));
            assert_eq!(accepted_step(seed, 3000, &shown).is_some(), taken, "{away}");
        }
    }

    #[test]
    fn seeds_as_people_write_them() {
        assert_eq!(parse_seed("jbsw y3dp ehpk 3pxp"), parse_seed("JBSWY3DPEHPK3PXP"));
        assert_eq!(parse_seed("not base32!"), None);
        assert_eq!(parse_seed(""), None);
    }
}
