//! Output: stdout for shells and programs, stderr for users.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};

/// Writes to stdout and flushes.
///
/// # Errors
/// Fails if the output cannot be written. A closed pipe isn't an error.
pub fn out(text: &str) -> Result<(), Problem> {
    out_bytes(text.as_bytes())
}

/// Writes bytes to stdout and flushes. They need not be UTF-8.
///
/// # Errors
/// See [`out`].
pub fn out_bytes(bytes: &[u8]) -> Result<(), Problem> {
    match io::stdout().lock().write_all(bytes) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Problem::new("cannot write the output").because(e)),
        _ => Ok(()),
    }
}

/// Returns whether output to stdout may contain colors: it is a terminal that supports them, and NO_COLOR isn't set
/// (<https://no-color.org>).
#[must_use]
pub fn may_colour(context: &Context) -> bool {
    io::stdout().is_terminal() && context.env.filled("NO_COLOR").is_none() && context.env.text("TERM") != Some("dumb")
}

/// Prints a line to stderr, after the program's name.
pub fn print_notice(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "awsrole: {}", escape(&line.to_string()));
}

/// Prints a line of a longer text to stderr, without the program's name.
pub fn print_line(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", escape(&line.to_string()));
}

/// Prints a problem to stderr.
pub fn print_error(problem: &Problem) {
    let _ = writeln!(io::stderr().lock(), "{problem}");
}
