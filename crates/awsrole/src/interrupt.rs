//! Prints a line if the user interrupts a wait with Ctrl-C.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use awsrole_system::print::print_notice;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// A wait that the user may interrupt. When it is dropped, an interrupt ends the process without the line.
pub(crate) struct Interruptible {
    waiting: Arc<AtomicBool>,
}

impl Interruptible {
    /// Begins a wait. The signal then ends this process, as it does without this type.
    pub(crate) fn with_notice(line: &'static str) -> Self {
        let waiting = Arc::new(AtomicBool::new(true));
        let Ok(mut signals) = Signals::new([SIGINT]) else { return Self { waiting } };
        let still = Arc::clone(&waiting);
        // If the thread can't be started, the default action of the signal stays.
        let _ = std::thread::Builder::new().spawn(move || {
            for signal in signals.forever() {
                if still.load(Ordering::Relaxed) {
                    // A terminal shows ^C on the current line.
                    if io::stderr().is_terminal() {
                        let _ = writeln!(io::stderr());
                    }
                    print_notice(line);
                }
                let _ = emulate_default_handler(signal);
            }
        });
        Self { waiting }
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        self.waiting.store(false, Ordering::Relaxed);
    }
}
