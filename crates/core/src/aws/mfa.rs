//! MFA codes: how they are requested, and which codes were used. Also requests other actions of the user.

use serde::{Deserialize, Serialize};

use crate::aws::arn::AccountId;
use crate::aws::parameters::MfaSerial;
use crate::aws::source::Source;
use crate::base::problem::Problem;

/// A code from the user or from their `mfa_process`.
pub struct Code {
    digits: String,
    /// The 30-second time step in which it was entered (RFC 6238 counts them from the epoch).
    pub step: u64,
}

impl Code {
    /// Parses six digits. Any other input is rejected before a call is made.
    pub fn parse(text: &str, step: u64) -> Result<Self, MfaError> {
        let digits = text.trim();
        if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self { digits: digits.to_owned(), step })
        } else {
            Err(MfaError::NotSixDigits)
        }
    }

    /// Returns the six digits. They are worthless once they have been sent.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }
}

/// A request for a code.
pub struct MfaPrompt<'a> {
    /// The device's serial number or ARN.
    pub serial: &'a MfaSerial,
    /// What the code is for: the role, or the source of a session.
    pub purpose: String,
    /// The account of the role, if it is known.
    pub account: Option<AccountId>,
    /// The last time step whose code was sent. STS accepts each code only once.
    pub used_step: Option<u64>,
    /// Whether STS refused the code that was entered before.
    pub refused: bool,
}

impl MfaPrompt<'_> {
    /// Returns the name of the device: the last part of its ARN, or its serial number.
    #[must_use]
    pub fn device(&self) -> &str {
        self.serial.as_str().split_once(":mfa/").map_or(self.serial.as_str(), |(_, name)| name)
    }
}

/// A question before a role is assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmPrompt {
    /// The question, such as `Assume admin in shop-prod (333333333333)?`.
    pub text: String,
    /// The text that the user must type. `None` is `y`.
    pub expected: Option<String>,
    /// The code of the color in which the question is shown (ECMA-48, SGR).
    pub color: Option<u8>,
}

/// Provides MFA codes, confirmations and sign-ins. It is a trait because it may prompt the user.
pub trait Authenticator {
    /// Requests a code.
    ///
    /// `begin` is called just before the user is prompted, with a description of the prompt and its terminal, which is
    /// shown to waiting processes.
    ///
    /// # Errors
    /// Fails if there is no code, or if the user has no attempt left after a refused one.
    fn code(&self, question: &MfaPrompt<'_>, begin: &dyn Fn(&str)) -> Result<Code, MfaError>;

    /// Asks the user to confirm that a role is assumed.
    ///
    /// # Errors
    /// Fails unless the answer is the required one.
    fn confirm(&self, prompt: &ConfirmPrompt) -> Result<(), NotConfirmed>;

    /// Asks the user whether to sign in to a source, and signs in. `begin` is called as in [`Authenticator::code`].
    ///
    /// # Errors
    /// Fails if the user can't be asked or declines, and if the sign-in fails.
    fn sign_in(&self, source: &Source, begin: &dyn Fn(&str)) -> Result<(), NotSignedIn>;
}

/// Provides nothing, for AI agents.
pub struct NeverAsk;

impl Authenticator for NeverAsk {
    fn code(&self, _question: &MfaPrompt<'_>, _begin: &dyn Fn(&str)) -> Result<Code, MfaError> {
        Err(MfaError::Agent)
    }

    fn confirm(&self, _prompt: &ConfirmPrompt) -> Result<(), NotConfirmed> {
        Err(NotConfirmed::NotNow)
    }

    fn sign_in(&self, _source: &Source, _begin: &dyn Fn(&str)) -> Result<(), NotSignedIn> {
        Err(NotSignedIn::Declined)
    }
}

/// The reason why the user isn't signed in.
pub enum NotSignedIn {
    /// Asking isn't allowed, or the answer was no.
    Declined,
    /// The sign-in failed.
    Failed(Problem),
}

/// The reason why a role was not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotConfirmed {
    /// The answer was not the required one, or the user cancelled the question.
    No,
    /// Prompting isn't allowed: a new shell, a prompt without user input, or a program.
    NotNow,
    /// There is no terminal, or this process isn't in its foreground.
    NoTerminal,
}

/// The reason why there is no code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MfaError {
    /// Prompting isn't allowed: a new shell, an editor, or a prompt without user input.
    NotNow,
    /// There is no terminal, or this process isn't in its foreground.
    NoTerminal,
    /// The session is for an AI agent, which is never asked.
    Agent,
    /// The user cancelled the prompt.
    Cancelled,
    /// The input isn't a code.
    NotSixDigits,
    /// The user's `mfa_process` failed.
    Process(String),
}

impl MfaError {
    /// Converts the error into a [`Problem`]. `what` names the role or session. For [`MfaError::Agent`] it has no hint.
    #[must_use]
    pub fn problem(&self, what: &str) -> Problem {
        let needs = Problem::new(format!("{what} needs an MFA code"));
        match self {
            Self::NotNow => needs
                .because("awsrole prompts only on `cd` and for commands that you type")
                .hint("run `awsrole refresh` in a terminal to be prompted"),
            Self::NoTerminal => needs
                .because("this process isn't in the foreground of a terminal")
                .hint("run `awsrole refresh` in a terminal to be prompted, or set `mfa_process` in your config.toml to print codes"),
            Self::Agent => needs
                .because("the session is for an AI agent, and no agent is ever asked for a code"),
            Self::Cancelled => {
                Problem::new(format!("cancelled: {what} needs an MFA code")).hint("run `awsrole refresh` to be prompted again")
            }
            Self::NotSixDigits => {
                Problem::new(format!("{what} needs an MFA code, but the input isn't one"))
                    .because("a code is six digits")
                    .hint("run `awsrole refresh` to be prompted again")
            }
            Self::Process(why) => {
                needs.because(format!("mfa_process {why}")).hint("`mfa_process` in your config.toml must print six digits within the timeout `process` in [limits]: the device is in AWSROLE_MFA_SERIAL")
            }
        }
    }
}

/// The recorded state of an MFA device on this machine.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The last time step whose code was sent.
    pub used_step: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_codes_that_are_not_six_digits() {
        assert_eq!(Code::parse(" 012345\n", 1).ok().unwrap().digits(), "012345");
        for wrong in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert_eq!(Code::parse(wrong, 1).err(), Some(MfaError::NotSixDigits));
        }
    }
}
