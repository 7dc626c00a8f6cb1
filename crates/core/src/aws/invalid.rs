//! Errors for invalid values.

/// A value that is outside its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` {expected}")]
pub struct OutOfRange {
    value: String,
    expected: String,
}

impl OutOfRange {
    /// Creates an error with the value, shortened if it is long, and what was expected of it.
    pub fn new(value: &str, expected: impl Into<String>) -> Self {
        let mut shown: String = value.chars().take(80).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self { value: shown, expected: expected.into() }
    }

    /// Creates the error for a value with a character that is not one of those allowed.
    pub fn with_character(value: &str, character: char, allowed: &str) -> Self {
        let character = if character == ' ' { "a space".to_owned() } else { format!("`{character}`") };
        Self::new(value, format!("contains {character}. Allowed characters: {allowed}"))
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
