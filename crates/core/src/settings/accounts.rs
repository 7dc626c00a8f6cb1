//! What the user calls their accounts, and in which colour a prompt shows them.

use std::collections::BTreeMap;
use std::fmt;

use crate::aws::arn::AccountId;
use crate::aws::invalid::{OutOfRange, check_length};

/// The accounts to which the user gave a name or a colour.
#[derive(Debug, Clone, Default)]
pub struct Accounts(pub BTreeMap<AccountId, Account>);

/// What a user says of one account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What it is called.
    pub name: Option<AccountName>,
    /// In which colour it is shown.
    pub color: Option<Color>,
}

/// A name that a prompt can show as it stands: 1–50 letters, digits, blanks and `_+=,.@:/-`, with no blank at an end.
/// AWS allows as many characters (Organizations API Reference, `CreateAccount`), but also those that shells expand in
/// a prompt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountName(String);

/// One of a terminal's eight colours, by the names that zsh, fish and most prompts give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are colours")]
pub enum Color {
    Black,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    White,
}

impl Accounts {
    /// What the user calls an account.
    #[must_use]
    pub fn name(&self, id: &AccountId) -> Option<&str> {
        self.0.get(id)?.name.as_ref().map(AccountName::as_str)
    }

    /// The colour in which an account is shown.
    #[must_use]
    pub fn color(&self, id: &AccountId) -> Option<Color> {
        self.0.get(id)?.color
    }

    /// An account for a person: `shop-prod (222222222222)`, or the id alone where it has no name.
    #[must_use]
    pub fn shown(&self, id: &AccountId) -> String {
        self.name(id).map_or_else(|| id.to_string(), |name| format!("{name} ({id})"))
    }
}

impl AccountName {
    /// Checks the name.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        check_length(text, 1, 50)?;
        let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_+=,.@:/-".contains(c);
        match text.chars().find(|c| !allowed(*c)) {
            Some(c) => {
                let what = format!("contains `{c}`; allowed are letters, digits, blanks and _+=,.@:/-");
                Err(OutOfRange::new(text, what))
            }
            None if text.trim() != text => Err(OutOfRange::new(text, "begins or ends with a blank")),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Color {
    /// All of them, in the terminals' order: the place of each is its number.
    pub const ALL: [Self; 8] =
        [Self::Black, Self::Red, Self::Green, Self::Yellow, Self::Blue, Self::Magenta, Self::Cyan, Self::White];

    /// The colour's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Red => "red",
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Blue => "blue",
            Self::Magenta => "magenta",
            Self::Cyan => "cyan",
            Self::White => "white",
        }
    }

    /// The colour of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|color| color.name() == name)
    }

    /// The code that chooses it as a terminal's foreground (ECMA-48, SGR 30–37).
    #[must_use]
    pub fn code(self) -> u8 {
        30 + self as u8
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_numbered_as_terminals_do() {
        for (number, name) in
            ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"].into_iter().enumerate()
        {
            assert_eq!(usize::from(Color::parse(name).unwrap().code()), 30 + number);
        }
        assert_eq!(Color::parse("Red"), None);
    }

    #[test]
    fn nothing_that_a_shell_expands_is_a_name() {
        for name in ["shop-prod", "Shop (old)".split(' ').next().unwrap(), "Größe 2", "a", "team/x:y@z"] {
            assert_eq!(AccountName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "$(id)", "`id`", "50%", "a\\b", "it's", "a!b", "a\nb", " a", "a ", "\u{202e}a", "a;b"] {
            assert!(AccountName::parse(name).is_err(), "{name}");
        }
        assert!(AccountName::parse(&"a".repeat(51)).is_err());
    }
}
