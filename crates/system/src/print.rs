//! Output: stdout for shells and programs, stderr for users.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};

use crate::ambient;

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
pub fn may_color(context: &Context) -> bool {
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

/// Prints a line of a unified diff to stderr. On a terminal with colors, removed lines are red and added ones green.
pub fn print_diff_line(line: &str) {
    let text = escape(line);
    let color = match line.as_bytes().first() {
        Some(b'-') => "31",
        Some(b'+') => "32",
        Some(b'@') => "36",
        _ => "",
    };
    let painted = !color.is_empty() && io::stderr().is_terminal() && ambient::has_colors();
    let text = if painted { format!("\u{1b}[{color}m{text}\u{1b}[0m") } else { text.to_string() };
    let _ = writeln!(io::stderr().lock(), "  {text}");
}

/// Prints a problem to stderr. On a terminal with colors its labels are colored.
pub fn print_error(problem: &Problem) {
    let text = problem.to_string();
    let text = if io::stderr().is_terminal() && ambient::has_colors() { colored(&text) } else { text };
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Colors the program's name in red and the labels of hints in cyan. The text itself is escaped already.
fn colored(text: &str) -> String {
    let line = |line: &str| match (line.strip_prefix("awsrole:"), line.strip_prefix("  hint:")) {
        (Some(rest), _) => format!("\u{1b}[1;31mawsrole:\u{1b}[0m{rest}"),
        (_, Some(rest)) => format!("  \u{1b}[1;36mhint:\u{1b}[0m{rest}"),
        (None, None) => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_labels_and_no_text() {
        let problem = Problem::new("cannot\u{1b}[m read").because("hint: none").hint("fix it");
        let text = colored(&problem.to_string());
        let plain = ["\u{1b}[1;31m", "\u{1b}[1;36m", "\u{1b}[0m"]
            .iter()
            .fold(text.clone(), |text, code| text.replace(code, ""));
        assert_eq!(plain, problem.to_string());
        assert_eq!(text.matches('\u{1b}').count(), 4, "{text}");
    }
}
