//! Names and colors of the user's accounts.

use std::collections::BTreeMap;
use std::fmt;

use crate::aws::arn::AccountId;
use crate::aws::invalid::{OutOfRange, check_length};
use crate::base::problem::Problem;
use crate::base::suggest::suggestion;

/// The number of names that an error lists.
const MAX_SHOWN: usize = 20;

/// The accounts for which the user has settings.
#[derive(Debug, Clone, Default)]
pub struct Accounts(pub BTreeMap<AccountId, Account>);

/// The settings of one account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// The account's name.
    pub name: Option<AccountName>,
    /// The account's color in prompts.
    pub color: Option<Color>,
    /// Whether each role in the account must be chosen by its name and confirmed.
    pub protect: bool,
}

/// An account name: 1–50 letters, digits, spaces and `_+=,.@:/-`, without a leading or trailing space.
///
/// Prompts can show it unchanged. AWS allows the same length (Organizations API Reference, `CreateAccount`), but also
/// characters that shells expand in a prompt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountName(String);

/// One of the eight colors of a terminal, with the names that zsh, fish and most prompts use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of colors")]
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
    /// Returns the name of an account.
    #[must_use]
    pub fn name(&self, id: &AccountId) -> Option<&str> {
        self.0.get(id)?.name.as_ref().map(AccountName::as_str)
    }

    /// Returns the account that has this ID or this name.
    ///
    /// # Errors
    /// Fails if no account has the name, or several have it. `option` names where the text comes from.
    pub fn find(&self, text: &str, option: &str) -> Result<AccountId, Problem> {
        let invalid = match AccountId::parse(text) {
            Ok(id) => return Ok(id),
            Err(invalid) => invalid,
        };
        let is_named = |account: &Account| account.name.as_ref().is_some_and(|name| name.as_str() == text);
        let found: Vec<&AccountId> = self.0.iter().filter(|(_, account)| is_named(account)).map(|(id, _)| id).collect();
        match found[..] {
            [id] => Ok(id.clone()),
            [] => {
                let mut names: Vec<&str> = self.0.keys().filter_map(|id| self.name(id)).collect();
                names.truncate(MAX_SHOWN);
                let problem = Problem::new(format!("{option} {invalid}, and no account has this name"));
                let problem = match names.is_empty() {
                    true => problem,
                    false => problem.hint(suggestion(text, "the accounts with a name are", &names)),
                };
                Err(problem.hint("to name an account, set `name` in [accounts.ID] of config.toml"))
            }
            _ => {
                let ids: Vec<&str> = found.iter().map(|id| id.as_str()).collect();
                Err(Problem::new(format!("{option}: several accounts have the name `{text}`"))
                    .hint(format!("name one by its ID: {}", ids.join(", "))))
            }
        }
    }

    /// Returns the accounts that the user protects, with their names.
    #[must_use]
    pub fn only_protected(&self) -> Self {
        let protected = self.0.iter().filter(|(_, account)| account.protect);
        Self(protected.map(|(id, account)| (id.clone(), account.clone())).collect())
    }

    /// Returns the color of an account. That of a protected account is always red.
    #[must_use]
    pub fn color(&self, id: &AccountId) -> Option<Color> {
        let account = self.0.get(id)?;
        if account.protect { Some(Color::Red) } else { account.color }
    }

    /// Returns whether each role in an account must be chosen by its name and confirmed.
    #[must_use]
    pub fn is_protected(&self, id: &AccountId) -> bool {
        self.0.get(id).is_some_and(|account| account.protect)
    }

    /// Returns the accounts whose roles must be chosen by their names and confirmed.
    pub fn protected(&self) -> impl Iterator<Item = &AccountId> {
        self.0.iter().filter(|(_, account)| account.protect).map(|(id, _)| id)
    }

    /// Formats an account for messages: `shop-prod (222222222222)`, or only the ID if it has no name.
    #[must_use]
    pub fn shown(&self, id: &AccountId) -> String {
        self.name(id).map_or_else(|| id.to_string(), |name| format!("{name} ({id})"))
    }
}

impl AccountName {
    /// Parses the name.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        check_length(text, 1, 50)?;
        let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_+=,.@:/-".contains(c);
        match text.chars().find(|c| !allowed(*c)) {
            Some(c) => Err(OutOfRange::with_character(text, c, "letters, digits, spaces and _+=,.@:/-")),
            None if text.trim() != text => Err(OutOfRange::new(text, "begins or ends with a space")),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Color {
    /// All colors, in the order of their numbers in terminals.
    pub const ALL: [Self; 8] =
        [Self::Black, Self::Red, Self::Green, Self::Yellow, Self::Blue, Self::Magenta, Self::Cyan, Self::White];

    /// Returns the color's name.
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

    /// Parses the name of a color.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|color| color.name() == name)
    }

    /// Returns the code that selects it as the foreground color (ECMA-48, SGR 30–37).
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
    fn numbers_colors_as_terminals_do() {
        for (number, name) in
            ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"].into_iter().enumerate()
        {
            assert_eq!(usize::from(Color::parse(name).unwrap().code()), 30 + number);
        }
        assert_eq!(Color::parse("Red"), None);
    }

    #[test]
    fn a_protected_account_is_red() {
        let id = AccountId::parse("333333333333").unwrap();
        for (protect, color) in [(false, Color::Green), (true, Color::Red)] {
            let account = Account { color: Some(Color::Green), protect, ..Account::default() };
            let accounts = Accounts([(id.clone(), account)].into());
            assert_eq!((accounts.color(&id), accounts.is_protected(&id)), (Some(color), protect));
        }
    }

    #[test]
    fn finds_an_account_by_its_id_or_its_only_name() {
        let id = |digit: &str| AccountId::parse(&digit.repeat(12)).unwrap();
        let named = |name: &str| Account { name: AccountName::parse(name).ok(), ..Account::default() };
        let accounts = [("1", "dev"), ("2", "prod"), ("3", "prod"), ("4", "111111111111")];
        let accounts = Accounts(accounts.map(|(digit, name)| (id(digit), named(name))).into());
        assert_eq!(accounts.find("dev", "--account").unwrap(), id("1"));
        assert_eq!(accounts.find(&"9".repeat(12), "--account").unwrap(), id("9"), "one without a name");
        assert_eq!(accounts.find("111111111111", "--account").unwrap(), id("1"), "an ID takes precedence over a name");
        let failed = |name: &str| accounts.find(name, "--account").unwrap_err().to_string();
        assert!(failed("prod").contains("name one by its ID: 222222222222, 333333333333"), "{}", failed("prod"));
        assert!(failed("dve").contains("did you mean `dev`?") && failed("dve").contains("`dve`"), "{}", failed("dve"));
        assert!(Accounts::default().find("", "--account").unwrap_err().to_string().contains("--account"));
    }

    #[test]
    fn rejects_names_that_shells_expand() {
        for name in ["shop-prod", "Shop (old)".split(' ').next().unwrap(), "Größe 2", "a", "team/x:y@z"] {
            assert_eq!(AccountName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "$(id)", "`id`", "50%", "a\\b", "it's", "a!b", "a\nb", " a", "a ", "\u{202e}a", "a;b"] {
            assert!(AccountName::parse(name).is_err(), "{name}");
        }
        assert!(AccountName::parse(&"a".repeat(51)).is_err());
    }
}
