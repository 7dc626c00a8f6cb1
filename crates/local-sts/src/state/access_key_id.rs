//! Access key IDs. Ten bytes follow the prefix in base32. AWS writes the account into the first six, shifted left by
//! seven bits.

use data_encoding::BASE32;

/// Returns the ID of a new key of an account. The prefix is `ASIA` for temporary keys and `AKIA` for long-term ones.
pub(crate) fn new(prefix: &str, account: &str, random: [u8; 10]) -> String {
    let number: u64 = account.parse().unwrap_or_default();
    let mut bytes = random;
    let low = u64::from(random[5] & 0x7f);
    let head = ((1 << 47) | (number << 7) | low).to_be_bytes();
    bytes[..6].copy_from_slice(&head[2..]);
    format!("{prefix}{}", BASE32.encode(&bytes))
}

/// Returns the account that an access key ID contains, or `None` if the text isn't an access key ID.
pub(crate) fn account(access_key_id: &str) -> Option<String> {
    let bytes = BASE32.decode(access_key_id.get(4..)?.as_bytes()).ok()?;
    let head = bytes.get(..6)?.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    Some(format!("{:012}", (head & 0x7fff_ffff_ff80) >> 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_their_account() {
        for expected in ["000000000001", "111111111111", "999999999999"] {
            let id = new("ASIA", expected, [0xa5; 10]);
            assert!(id.starts_with("ASIA") && id.len() == 20, "{id}");
            assert_eq!(account(&id).as_deref(), Some(expected));
        }
        // From AWS's own documents on access key identifiers.
        assert_eq!(account("ASIAY34FZKBOKMUTVV7A").as_deref(), Some("609629065308"));
    }
}
