//! Asks a person for an MFA code on the terminal, or a program of theirs.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use awsrole_core::context::Context;
use awsrole_core::mfa::{Authenticator, Code, NoCode, Question};
use awsrole_core::problem::escape;
use awsrole_core::user_config::UserConfig;
use rustix::process::{Signal, getpgrp, kill_current_process_group};
use rustix::termios::{LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp, tcsetattr};

use crate::ambient;
use crate::report::say;

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
            return Code::parse(&digits, step());
        }
        let terminal = Terminal::open()?;
        begin(&format!("another terminal (process {me})"));
        say(format!("{} needs an MFA code", question.purpose));
        wait_for_a_fresh_step(question)?;
        let digits = terminal.ask(&format!("awsrole: code of {}: ", escape(question.serial.as_str())))?;
        Code::parse(&digits, step())
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

/// Runs the user's own program. The device is in its environment; the code is what it prints.
fn from_program(command: &str, question: &Question<'_>, context: &Context) -> Result<String, NoCode> {
    let failed = |why: String| NoCode::Process(why);
    let mut process = Command::new("/bin/sh");
    process.arg("-c").arg(command).env_clear().envs(&context.env.0).env("AWSROLE_MFA_SERIAL", question.serial.as_str());
    let spawned = process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
    let output = spawned.map_err(|e| failed(format!("/bin/sh can't be started: {e}")))?;
    if !output.status.success() {
        return Err(failed(format!("it ended with {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The terminal, in the mode that a question needs. Its old mode comes back on every way out.
struct Terminal {
    device: File,
    before: Termios,
}

impl Terminal {
    /// Opens the terminal if it is ours to ask in: a background job or an editor's helper that
    /// asked would stop, or take somebody else's input.
    fn open() -> Result<Self, NoCode> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| NoCode::NoTerminal)?;
        let foreground = tcgetpgrp(&device).map_err(|_| NoCode::NoTerminal)?;
        if foreground != getpgrp() {
            return Err(NoCode::NoTerminal);
        }
        let before = tcgetattr(&device).map_err(|_| NoCode::NoTerminal)?;
        Ok(Self { device, before })
    }

    /// Puts a question and reads a line. Keys come one by one and Ctrl-C comes as a key: were it a
    /// signal, this process would die with the terminal in the wrong mode (fish's prompt is raw).
    fn ask(&self, question: &str) -> Result<String, NoCode> {
        let mut mode = self.before.clone();
        mode.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        mode.input_modes |= rustix::termios::InputModes::ICRNL;
        mode.output_modes |= rustix::termios::OutputModes::OPOST | rustix::termios::OutputModes::ONLCR;
        mode.special_codes[rustix::termios::SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[rustix::termios::SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&self.device, OptionalActions::Now, &mode).map_err(|_| NoCode::NoTerminal)?;
        // What was typed before the question was seen can't be its answer.
        let _ = tcflush(&self.device, QueueSelector::IFlush);
        self.show(question);
        let answer = self.line();
        self.show("\n");
        self.restore();
        if answer == Err(NoCode::Cancelled) {
            // As if Ctrl-C had been a signal: the rest of `cd x && command` must not run.
            let _ = kill_current_process_group(Signal::INT);
        }
        answer
    }

    fn line(&self) -> Result<String, NoCode> {
        let mut text = String::new();
        let mut key = [0_u8; 1];
        loop {
            match (&self.device).read(&mut key) {
                Ok(1) => {}
                _ => return Err(NoCode::Cancelled),
            }
            match key[0] {
                b'\n' | b'\r' => return Ok(text),
                // Ctrl-C, Ctrl-D, Ctrl-\, Ctrl-Z
                0x03 | 0x04 | 0x1c | 0x1a => return Err(NoCode::Cancelled),
                0x08 | 0x7f if text.pop().is_some() => self.show("\u{8} \u{8}"),
                0x15 => {
                    while text.pop().is_some() {
                        self.show("\u{8} \u{8}");
                    }
                }
                key @ 0x20..0x7f if text.len() < 32 => {
                    text.push(char::from(key));
                    self.show(char::from(key).encode_utf8(&mut [0; 4]));
                }
                _ => {}
            }
        }
    }

    fn show(&self, text: &str) {
        let _ = (&self.device).write_all(text.as_bytes());
    }

    fn restore(&self) {
        let _ = tcsetattr(&self.device, OptionalActions::Now, &self.before);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}
