//! Codes of an authenticator: who is asked, and which were used.

use serde::{Deserialize, Serialize};

use crate::aws::parameters::MfaSerial;
use crate::base::problem::Problem;

/// A code that a person, or a program of theirs, gave.
pub struct Code {
    digits: String,
    /// The 30-second step in which it was given (RFC 6238 counts them from the epoch).
    pub step: u64,
}

impl Code {
    /// Accepts six digits; anything else makes no call.
    pub fn parse(text: &str, step: u64) -> Result<Self, MfaError> {
        let digits = text.trim();
        if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self { digits: digits.to_owned(), step })
        } else {
            Err(MfaError::NotSixDigits)
        }
    }

    /// The six digits. They are worthless once sent.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }
}

/// What is asked for.
pub struct MfaPrompt<'a> {
    /// The device.
    pub serial: &'a MfaSerial,
    /// What the code is for: role, account and source.
    pub purpose: String,
    /// The last step whose code was sent: STS takes a code only once.
    pub used_step: Option<u64>,
}

/// Answers with a code. A trait because a person answers.
pub trait Authenticator {
    /// Asks for a code. `begin` is called just before a question is put to a person, with what is
    /// asked for and where, so that others who wait for the same can be told.
    fn code(&self, question: &MfaPrompt<'_>, begin: &dyn Fn(&str)) -> Result<Code, MfaError>;
}

/// Why there is no code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MfaError {
    /// Nobody did anything that allows a question: a new shell, an editor, a prompt that came by.
    NotNow,
    /// There is no terminal, or it is not ours to ask in.
    NoTerminal,
    /// The person didn't want to.
    Cancelled,
    /// What was given isn't a code.
    NotSixDigits,
    /// The user's `mfa_process` failed.
    Process(String),
}

impl MfaError {
    /// Says it for a role or session.
    #[must_use]
    pub fn problem(&self, what: &str) -> Problem {
        let needs = Problem::new(format!("{what} needs an MFA code"));
        match self {
            Self::NotNow => needs
                .because("nobody is asked where it would come as a surprise: in a new shell, from an editor, or while a command runs")
                .hint("`awsrole refresh` in the directory asks for it; without the hook: `awsrole exec -- true`"),
            Self::NoTerminal => needs
                .because("there is no terminal in the foreground to ask in")
                .hint("`awsrole refresh` in a terminal asks for it; where there is none, `mfa_process` in your config.toml can print codes"),
            Self::Cancelled => {
                Problem::new(format!("cancelled: {what} needs an MFA code")).hint("`awsrole refresh` asks again")
            }
            Self::NotSixDigits => {
                Problem::new(format!("that was no MFA code, so {what} wasn't asked for"))
                    .because("a code is six digits")
                    .hint("`awsrole refresh`, or the same command again, asks again")
            }
            Self::Process(why) => {
                needs.because(format!("mfa_process {why}")).hint("`mfa_process` in your config.toml must print six digits, within the time that `process` in [limits] gives it; it finds the device in AWSROLE_MFA_SERIAL")
            }
        }
    }
}

/// What is known of a device on this machine.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The last step whose code was sent.
    pub used_step: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_are_a_code() {
        assert_eq!(Code::parse(" 012345\n", 1).ok().unwrap().digits(), "012345");
        for wrong in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert_eq!(Code::parse(wrong, 1).err(), Some(MfaError::NotSixDigits));
        }
    }
}
