//! Prompts for MFA codes, passphrases and sign-ins on the terminal, and runs the user's `mfa_process`.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use awsrole_core::aws::access_keys::KeyStoreError;
use awsrole_core::aws::mfa::{Authenticator, Code, ConfirmPrompt, MfaError, MfaPrompt, NotConfirmed, NotSignedIn};
use awsrole_core::aws::source::Source;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::base::secret::Secret;
use awsrole_core::settings::user_config::Settings;
use awsrole_keys::{PassphrasePrompt, Passphrases};
use awsrole_sts::{Limits, subprocess};

use crate::terminal::{NoAnswer, Terminal};
use awsrole_system::ambient;
use awsrole_system::print::print_notice;

/// The minimum length of a passphrase, in characters.
const MIN_PASSPHRASE_LENGTH: usize = 8;

/// The number of attempts to enter a code or a passphrase, as in sudo.
const ATTEMPTS: u32 = 3;

/// The time step in seconds (RFC 6238, whose default AWS's devices use).
const TIME_STEP: u64 = 30;

/// Signs in to a source.
type SignIn<'a> = dyn Fn(&Source) -> Result<(), Problem> + 'a;

/// Prompts on the terminal, if prompting is allowed.
pub(crate) struct TerminalPrompter<'a> {
    /// Whether the user just typed a command that allows prompting.
    pub(crate) may_ask: bool,
    pub(crate) context: &'a Context,
    settings: &'a Settings,
    sign_in: Option<&'a SignIn<'a>>,
    /// How often the user entered a code. A command asks for one device.
    codes: Cell<u32>,
}

impl<'a> TerminalPrompter<'a> {
    pub(crate) fn new(may_ask: bool, context: &'a Context, settings: &'a Settings) -> Self {
        Self { may_ask, context, settings, sign_in: None, codes: Cell::new(0) }
    }

    /// Sets the function that signs in to a source. Without it, the user isn't asked to sign in.
    pub(crate) fn signing_in_with(self, sign_in: &'a SignIn<'a>) -> Self {
        Self { sign_in: Some(sign_in), ..self }
    }
}

impl Authenticator for TerminalPrompter<'_> {
    fn code(&self, question: &MfaPrompt<'_>, begin: &dyn Fn(&str)) -> Result<Code, MfaError> {
        if !self.may_ask || question.refused != (self.codes.get() > 0) {
            return Err(MfaError::NotNow);
        }
        let settings = self.settings.or_default();
        let me = std::process::id();
        if let Some(command) = &settings.mfa_process {
            // It would print the same code again.
            if question.refused {
                return Err(MfaError::NotNow);
            }
            self.codes.set(1);
            begin(&format!("mfa_process is running (process {me})"));
            wait_for_unused_step(question)?;
            let limit = settings.limits.process.unwrap_or(Limits::default().process);
            let device = ("AWSROLE_MFA_SERIAL", question.serial.as_str());
            let digits = subprocess::run(command, &self.context.env, device, limit).map_err(MfaError::Process)?;
            return Code::parse(&digits, step()).map_err(|_| MfaError::Process("did not print six digits".to_owned()));
        }
        let terminal = Terminal::open().map_err(no_code)?;
        begin(&format!("awsrole is prompting for the MFA code in {}", prompt_location()));
        let account = question.account.as_ref().map(|account| format!(" in {}", settings.accounts.shown(account)));
        let purpose = format!("{}{}", question.purpose, account.unwrap_or_default());
        let ask = format!("awsrole: MFA code of {} for {}: ", escape(question.device()), escape(&purpose));
        let mut wrong = question.refused.then_some("AWS refused the code, and each works once: try again");
        while self.codes.get() < ATTEMPTS {
            if let Some(wrong) = wrong {
                print_notice(wrong);
            }
            wait_for_unused_step(question)?;
            self.codes.set(self.codes.get() + 1);
            match Code::parse(&terminal.ask(&ask).map_err(no_code)?, step()) {
                Err(MfaError::NotSixDigits) => wrong = Some("a code is six digits: try again"),
                parsed => return parsed,
            }
        }
        Err(MfaError::NotSixDigits)
    }

    fn confirm(&self, prompt: &ConfirmPrompt) -> Result<(), NotConfirmed> {
        if !self.may_ask {
            return Err(NotConfirmed::NotNow);
        }
        let terminal = Terminal::open().map_err(|_| NotConfirmed::NoTerminal)?;
        let text = escape(&prompt.text);
        let text = match prompt.color.filter(|_| terminal.may_color()) {
            Some(code) => format!("\u{1b}[1;{code}m{text}\u{1b}[0m"),
            None => text,
        };
        let is_confirmed = match &prompt.expected {
            None => terminal.confirm(&text),
            Some(expected) => {
                let answer = terminal.ask(&format!("{text} Type {} to confirm: ", escape(expected)));
                answer.is_ok_and(|answer| answer.trim() == expected)
            }
        };
        if is_confirmed { Ok(()) } else { Err(NotConfirmed::No) }
    }

    fn sign_in(&self, source: &Source, begin: &dyn Fn(&str)) -> Result<(), NotSignedIn> {
        let (Some(sign_in), Some(name)) = (self.sign_in, source.sign_in_name()) else {
            return Err(NotSignedIn::Declined);
        };
        // CI jobs and agents may have a terminal, but nobody who can sign in. The URL is printed on stderr.
        if !self.may_ask || self.context.env.filled("CI").is_some() || !io::stderr().is_terminal() {
            return Err(NotSignedIn::Declined);
        }
        let terminal = Terminal::open().map_err(|_| NotSignedIn::Declined)?;
        begin(&format!("awsrole is signing in to {} in {}", escape(name), prompt_location()));
        if !terminal.agree(&format!("awsrole: sign in to {} now?", escape(name))).unwrap_or(false) {
            return Err(NotSignedIn::Declined);
        }
        drop(terminal);
        sign_in(source).map_err(NotSignedIn::Failed)
    }
}

impl Passphrases for TerminalPrompter<'_> {
    fn passphrase(&self, prompt: PassphrasePrompt, begin: &dyn Fn(&str)) -> Result<Secret, KeyStoreError> {
        self.begin(begin, "awsrole is prompting for the passphrase of the key file in")?;
        let no_secret = |why| match why {
            NoAnswer::NoTerminal => KeyStoreError::NoTerminal,
            NoAnswer::Cancelled => KeyStoreError::Cancelled,
        };
        let terminal = Terminal::open().map_err(no_secret)?;
        if prompt == PassphrasePrompt::Again {
            print_notice("wrong passphrase: try again");
        }
        if prompt != PassphrasePrompt::New {
            return terminal.ask_secret("awsrole: passphrase of the key file: ").map_err(no_secret);
        }
        for attempt in 1.. {
            let first = terminal.ask_secret("awsrole: new passphrase for the key file: ").map_err(no_secret)?;
            let problem = if first.expose().chars().count() < MIN_PASSPHRASE_LENGTH {
                Problem::new(format!("the passphrase has fewer than {MIN_PASSPHRASE_LENGTH} characters"))
                    .hint("use several words: anyone with the file can guess without limit")
            } else if first != terminal.ask_secret("awsrole: repeat the passphrase: ").map_err(no_secret)? {
                Problem::new("the two passphrases differ").hint("run the same command again")
            } else {
                return Ok(first);
            };
            if attempt == ATTEMPTS {
                return Err(KeyStoreError::Unusable(problem));
            }
            print_notice(format!("{}: try again", problem.summary));
        }
        Err(KeyStoreError::Cancelled)
    }

    fn dialog(&self, begin: &dyn Fn(&str)) -> Result<(), KeyStoreError> {
        self.begin(begin, "the secret store is prompting to be unlocked, for a command in")
    }
}

impl TerminalPrompter<'_> {
    fn begin(&self, begin: &dyn Fn(&str), what: &str) -> Result<(), KeyStoreError> {
        if !self.may_ask {
            return Err(KeyStoreError::NotNow);
        }
        begin(&format!("{what} {}", prompt_location()));
        Ok(())
    }
}

/// Returns the terminal and the process of the prompt, for display in waiting processes.
fn prompt_location() -> String {
    let me = std::process::id();
    match Terminal::name() {
        Some(name) => format!("the terminal {name} (process {me})"),
        None => format!("another terminal (process {me})"),
    }
}

fn no_code(why: NoAnswer) -> MfaError {
    match why {
        NoAnswer::NoTerminal => MfaError::NoTerminal,
        NoAnswer::Cancelled => MfaError::Cancelled,
    }
}

/// Waits for the next time step if the code of the current one was sent, because STS accepts each code only once.
fn wait_for_unused_step(question: &MfaPrompt<'_>) -> Result<(), MfaError> {
    let Some(used) = question.used_step else { return Ok(()) };
    // A record in the future means that the clock was wrong, not that the code was used.
    if used != step() {
        return Ok(());
    }
    let now = ambient::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_secs(TIME_STEP)
        - Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or_default() % (TIME_STEP * 1000));
    print_notice(format!(
        "waiting for the next MFA code, {} s: the current one was already used …",
        left.as_secs() + 1
    ));
    std::thread::sleep(left);
    Ok(())
}

fn step() -> u64 {
    ambient::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / TIME_STEP
}
