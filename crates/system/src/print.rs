//! Output: stdout for shells and programs, stderr for users.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use awsrole_core::base::agent::with_agent_hints;
use awsrole_core::base::problem::{HANG, Problem, escape};
use awsrole_core::base::wrap::wrap;

use crate::ambient::{is_of_agent, may_color};

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

/// Wraps a line at blanks if the stream is a terminal. Continuation lines begin with `hang` blanks.
///
/// Other programs, such as a log viewer, wrap lines themselves.
#[must_use]
pub fn fit(line: &str, hang: usize, stream: &(impl IsTerminal + AsFd)) -> String {
    let size = stream.is_terminal().then(|| rustix::termios::tcgetwinsize(stream).ok()).flatten();
    match size.map(|size| usize::from(size.ws_col)) {
        Some(columns) if columns > 2 * hang => wrap(line, columns, hang).join("\n"),
        _ => line.to_owned(),
    }
}

/// Does what [`fit`] does for a text that begins in a column, and is continued below it.
#[must_use]
pub fn fit_below(column: usize, text: &str, stream: &(impl IsTerminal + AsFd)) -> String {
    let line = fit(&format!("{:column$}{text}", ""), column, stream);
    line.get(column..).unwrap_or_default().to_owned()
}

/// Prints a line to stderr, after the program's name.
pub fn print_notice(line: impl Display) {
    let text = fit(&format!("awsrole: {}", escape(&line.to_string())), HANG, &io::stderr());
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a line of a longer text to stderr, without the program's name.
pub fn print_line(line: impl Display) {
    print_hanging(line, HANG);
}

/// Does what [`print_line`] does. If the terminal is too narrow, the text is continued below the column `hang`.
pub fn print_hanging(line: impl Display, hang: usize) {
    let text = fit(&escape(&line.to_string()), hang, &io::stderr());
    let _ = writeln!(io::stderr().lock(), "{text}");
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
    let painted = !color.is_empty() && may_color(&io::stderr());
    let text = if painted { format!("\u{1b}[{color}m{text}\u{1b}[0m") } else { text.to_string() };
    let _ = writeln!(io::stderr().lock(), "  {text}");
}

/// Prints a problem to stderr. On a terminal with colors its labels are colored.
pub fn print_error(problem: &Problem) {
    print_error_text(&for_reader(problem).to_string());
}

/// Prints the problem because of which a shell is blocked.
pub fn print_error_of_blocked_shell(problem: &Problem) {
    print_error_text(&for_reader(problem).of_blocked_shell());
}

/// Prints the problem because of which a shell keeps the role `held`. `why` is the command that lists all causes.
pub fn print_error_of_kept_role(problem: &Problem, held: &str, why: &str) {
    print_error_text(&for_reader(problem).of_kept_role(held, why));
}

/// Returns the problem as the reader of stderr needs it: the user, or an agent that can't run all commands.
#[must_use]
pub fn for_reader(problem: &Problem) -> Problem {
    if is_of_agent() { with_agent_hints(problem.clone()) } else { problem.clone() }
}

fn print_error_text(text: &str) {
    let lines: Vec<String> = text.lines().map(|line| fit(line, HANG, &io::stderr())).collect();
    let text = if may_color(&io::stderr()) { colored(&lines.join("\n")) } else { lines.join("\n") };
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
