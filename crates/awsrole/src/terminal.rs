//! Prompts on the user's terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use awsrole_core::base::secret::Secret;
use rustix::process::{Signal, getpgrp, kill_current_process_group};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcgetpgrp, tcgetwinsize, tcsetattr, ttyname,
};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use zeroize::Zeroizing;

/// The longest input in bytes. A role ARN has up to 2048. Further input is ignored.
const MAX_INPUT: usize = 2048;

/// The reason why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// There is no terminal, or this process isn't in its foreground.
    NoTerminal,
    /// The user cancelled the prompt.
    Cancelled,
}

/// How long reading a byte waits.
#[derive(Clone, Copy)]
pub(crate) enum Waits {
    Forever,
    /// A tenth of a second. This distinguishes the key Esc from a sequence that begins with it.
    Briefly,
}

/// The terminal in the mode for prompts. The previous mode is restored in every case except SIGKILL.
pub(crate) struct Terminal {
    device: File,
    before: Termios,
    /// What a signal writes before it ends this process, if a prompt is open.
    asking: Arc<Mutex<Option<&'static str>>>,
}

impl Terminal {
    /// Returns whether the terminal may show colors.
    pub(crate) fn may_color(&self) -> bool {
        awsrole_system::ambient::may_color(&self.device)
    }

    /// Opens the terminal if this process is in its foreground. A background process or an editor's child process would
    /// be stopped, or would read input that is meant for another program.
    pub(crate) fn open() -> Result<Self, NoAnswer> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| NoAnswer::NoTerminal)?;
        let foreground = tcgetpgrp(&device).map_err(|_| NoAnswer::NoTerminal)?;
        if foreground != getpgrp() {
            return Err(NoAnswer::NoTerminal);
        }
        let before = tcgetattr(&device).map_err(|_| NoAnswer::NoTerminal)?;
        let terminal = Self { device, before, asking: Arc::default() };
        terminal.restore_on_signals();
        Ok(terminal)
    }

    /// Restores the terminal before a signal ends this process.
    fn restore_on_signals(&self) {
        let Ok(device) = self.device.try_clone() else { return };
        let Ok(mut signals) = Signals::new([SIGHUP, SIGTERM]) else { return };
        let (before, asking) = (self.before.clone(), Arc::clone(&self.asking));
        // If the thread can't be started, prompting works without it.
        let _ = std::thread::Builder::new().spawn(move || {
            for signal in signals.forever() {
                if let Some(last) = asking.lock().ok().and_then(|asking| *asking) {
                    let _ = (&device).write_all(last.as_bytes());
                    let _ = tcsetattr(&device, OptionalActions::Now, &before);
                }
                let _ = emulate_default_handler(signal);
            }
        });
    }

    /// Returns the name of the terminal, such as `/dev/pts/3`. The opened path `/dev/tty` is the same for all of them.
    pub(crate) fn name() -> Option<String> {
        let streams = (ttyname(io::stderr(), Vec::new()), ttyname(io::stdin(), Vec::new()));
        streams.0.or(streams.1).ok()?.into_string().ok()
    }

    /// Prompts and reads a line.
    pub(crate) fn ask(&self, question: &str) -> Result<String, NoAnswer> {
        let answer = self.answer(question, true)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Prompts for a secret, without echo.
    pub(crate) fn ask_secret(&self, question: &str) -> Result<Secret, NoAnswer> {
        let answer = self.answer(question, false)?;
        Ok(Secret::new(std::str::from_utf8(&answer).map_err(|_| NoAnswer::Cancelled)?))
    }

    /// Asks a yes-or-no question. Anything but yes is no.
    pub(crate) fn confirm(&self, question: &str) -> bool {
        self.ask(&format!("{question} [y/N] ")).is_ok_and(|answer| is_yes(answer.trim()))
    }

    /// Asks a yes-or-no question until the answer is yes or no. An empty answer is yes.
    pub(crate) fn agree(&self, question: &str) -> Result<bool, NoAnswer> {
        loop {
            match self.ask(&format!("{question} [Y/n] "))?.trim().to_lowercase().as_str() {
                "" | "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.show("  enter y or n\n"),
            }
        }
    }

    fn answer(&self, question: &str, shown: bool) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        self.interact(Waits::Forever, "", || {
            self.show(question);
            let answer = self.line(shown);
            self.show("\n");
            answer
        })
    }

    /// Runs a prompt while the terminal delivers each key separately, and Ctrl-C as a key.
    ///
    /// If Ctrl-C were a signal, this process would end with the terminal in the wrong mode (fish's prompt is raw). A
    /// signal that ends this process writes `last` first.
    pub(crate) fn interact<T>(
        &self,
        waits: Waits,
        last: &'static str,
        prompt: impl FnOnce() -> Result<T, NoAnswer>,
    ) -> Result<T, NoAnswer> {
        let mut mode = self.before.clone();
        mode.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        mode.input_modes |= InputModes::ICRNL;
        mode.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
        (mode.special_codes[SpecialCodeIndex::VMIN], mode.special_codes[SpecialCodeIndex::VTIME]) = match waits {
            Waits::Forever => (1, 0),
            Waits::Briefly => (0, 1),
        };
        self.note_asking(Some(last));
        tcsetattr(&self.device, OptionalActions::Now, &mode).map_err(|_| NoAnswer::NoTerminal)?;
        // Input that was typed before the prompt appeared isn't an answer to it.
        let _ = tcflush(&self.device, QueueSelector::IFlush);
        let answer = prompt();
        self.restore();
        if matches!(answer, Err(NoAnswer::Cancelled)) {
            // The process group gets SIGINT as with Ctrl-C, so that the rest of `cd x && command` doesn't run.
            let _ = kill_current_process_group(Signal::INT);
        }
        answer
    }

    /// Reads a byte, or returns `None` if [`Waits::Briefly`] ends without one.
    pub(crate) fn read_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0_u8; 1];
        Ok(((&self.device).read(&mut byte)? == 1).then_some(byte[0]))
    }

    /// Returns the columns and rows of the terminal. Fails if it was closed.
    pub(crate) fn size(&self) -> io::Result<(usize, usize)> {
        let size = tcgetwinsize(&self.device)?;
        Ok((size.ws_col.into(), size.ws_row.into()))
    }

    fn line(&self, shown: bool) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        // Allocate the full size at once: a growing buffer would leave copies of secrets in memory.
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_INPUT));
        let echo = |text: &str| {
            if shown {
                self.show(text);
            }
        };
        loop {
            let Ok(Some(key)) = self.read_byte() else { return Err(NoAnswer::Cancelled) };
            match key {
                b'\n' | b'\r' => return Ok(text),
                // Ctrl-C, Ctrl-D, Ctrl-\, Ctrl-Z
                0x03 | 0x04 | 0x1c | 0x1a => return Err(NoAnswer::Cancelled),
                0x08 | 0x7f if shorten(&mut text) => echo("\u{8} \u{8}"),
                0x15 => {
                    while shorten(&mut text) {
                        echo("\u{8} \u{8}");
                    }
                }
                key @ 0x20..0x7f if text.len() < MAX_INPUT => {
                    text.push(key);
                    echo(char::from(key).encode_utf8(&mut [0; 4]));
                }
                // A passphrase may contain any characters. Visible answers are ASCII.
                key @ 0x80.. if !shown && text.len() < MAX_INPUT => text.push(key),
                _ => {}
            }
        }
    }

    pub(crate) fn show(&self, text: &str) {
        let _ = (&self.device).write_all(text.as_bytes());
    }

    fn restore(&self) {
        let _ = tcsetattr(&self.device, OptionalActions::Now, &self.before);
        self.note_asking(None);
    }

    fn note_asking(&self, now: Option<&'static str>) {
        if let Ok(mut asking) = self.asking.lock() {
            *asking = now;
        }
    }
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].iter().any(|word| word.eq_ignore_ascii_case(answer))
}

/// Removes the last character. Returns false if there is none.
fn shorten(text: &mut Vec<u8>) -> bool {
    while text.last().is_some_and(|byte| byte & 0xc0 == 0x80) {
        text.pop();
    }
    text.pop().is_some()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}
