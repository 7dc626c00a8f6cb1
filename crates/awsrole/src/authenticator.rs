//! Asks a person for an MFA code on the terminal, or a program of theirs.

use std::cell::Cell;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use awsrole_core::context::Context;
use awsrole_core::mfa::{Authenticator, Code, NoCode, Question};
use awsrole_core::problem::escape;
use awsrole_core::user_config::UserConfig;

use crate::ambient;
use crate::report::say;
use crate::terminal::{NoAnswer, Terminal};

/// The length of a step in seconds (RFC 6238; AWS's devices use the default).
const STEP: u64 = 30;

/// A person at the terminal, if one may be asked.
pub(crate) struct Person<'a> {
    /// Somebody just typed something that allows a question.
    pub(crate) may_ask: bool,
    /// Where the user's settings come from.
    pub(crate) context: &'a Context,
    /// Whether a question is pending or was answered: one is enough for one command.
    asked: Cell<bool>,
}

impl<'a> Person<'a> {
    pub(crate) fn new(may_ask: bool, context: &'a Context) -> Self {
        Self { may_ask, context, asked: Cell::new(false) }
    }
}

impl Authenticator for Person<'_> {
    fn code(&self, question: &Question<'_>, begin: &dyn Fn(&str)) -> Result<Code, NoCode> {
        if !self.may_ask || self.asked.replace(true) {
            return Err(NoCode::NotNow);
        }
        let settings = UserConfig::load(self.context).unwrap_or_default();
        let me = std::process::id();
        if let Some(command) = &settings.mfa_process {
            begin(&format!("mfa_process (process {me})"));
            wait_for_a_fresh_step(question)?;
            let digits = from_program(command, question, self.context)?;
            return Code::parse(&digits, step())
                .map_err(|_| NoCode::Process("printed something else than six digits".to_owned()));
        }
        let terminal = Terminal::open().map_err(no_code)?;
        begin(&format!("another terminal (process {me})"));
        say(format!("{} needs an MFA code", question.purpose));
        wait_for_a_fresh_step(question)?;
        let digits =
            terminal.ask(&format!("awsrole: code of {}: ", escape(question.serial.as_str()))).map_err(no_code)?;
        Code::parse(&digits, step())
    }
}

fn no_code(why: NoAnswer) -> NoCode {
    match why {
        NoAnswer::NoTerminal => NoCode::NoTerminal,
        NoAnswer::Cancelled => NoCode::Cancelled,
    }
}

/// STS takes each code once: if that of the current step was sent, the next one is waited for.
fn wait_for_a_fresh_step(question: &Question<'_>) -> Result<(), NoCode> {
    let Some(used) = question.used_step else { return Ok(()) };
    // A record from the future is a clock that was off, not a used code.
    if used != step() {
        return Ok(());
    }
    let now = ambient::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_secs(STEP)
        - Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or_default() % (STEP * 1000));
    say(format!("the current code was used already; the next one comes in {} s", left.as_secs() + 1));
    std::thread::sleep(left);
    Ok(())
}

fn step() -> u64 {
    ambient::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / STEP
}

/// How a program ended, as a shell counts it: 127 is a program that isn't there.
fn ended(code: Option<i32>) -> String {
    match code {
        Some(127) => "isn't there (exit code 127)".to_owned(),
        Some(code) => format!("ended with exit code {code}"),
        None => "was killed".to_owned(),
    }
}

/// Runs the user's own program. The device is in its environment; the code is what it prints.
fn from_program(command: &str, question: &Question<'_>, context: &Context) -> Result<String, NoCode> {
    let failed = |why: String| NoCode::Process(why);
    let mut process = Command::new("/bin/sh");
    process.arg("-c").arg(command).env_clear().envs(&context.env.0).env("AWSROLE_MFA_SERIAL", question.serial.as_str());
    let spawned = process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
    let output = spawned.map_err(|e| failed(format!("can't be started by /bin/sh: {e}")))?;
    if !output.status.success() {
        return Err(failed(ended(output.status.code())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
