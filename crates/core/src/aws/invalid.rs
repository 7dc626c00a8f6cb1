//! Values that aren't valid.

/// A value outside its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` {expected}")]
pub struct OutOfRange {
    value: String,
    expected: String,
}

impl OutOfRange {
    /// Says what was expected of the value. Long values are cut.
    pub fn new(value: &str, expected: impl Into<String>) -> Self {
        let mut shown: String = value.chars().take(80).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self { value: shown, expected: expected.into() }
    }
}

/// Checks a length in characters.
pub fn check_length(text: &str, least: usize, most: usize) -> Result<(), OutOfRange> {
    let length = text.chars().count();
    if (least..=most).contains(&length) {
        Ok(())
    } else {
        Err(OutOfRange::new(text, format!("must have {least}–{most} characters, but has {length}")))
    }
}
