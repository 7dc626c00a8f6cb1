//! The list in fzf, for users who set `AWSROLE_PICKER=fzf`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use awsrole_core::base::problem::Problem;
use awsrole_system::ambient;

use super::{Item, Picked, Question, name_width};

/// The widest column of names.
const MAX_NAME: usize = 60;

/// Exit codes of fzf (fzf(1), "EXIT STATUS"): no match, and cancelled with Ctrl-C or Esc.
const NO_MATCH: i32 = 1;
const CANCELLED: i32 = 130;

/// Runs fzf. It gets the list on its standard input, and draws on the terminal itself.
pub(super) fn pick(
    question: &Question<'_>,
    multi: bool,
    items: &[Item],
    colors: bool,
) -> Result<Picked<Vec<usize>>, Problem> {
    let Some(program) = ambient::in_path(Path::new("fzf")) else {
        return Err(Problem::new("AWSROLE_PICKER is `fzf`, but there is no fzf in PATH")
            .hint("install fzf, or `unset AWSROLE_PICKER` for awsrole's own list"));
    };
    let failed = |cause: String| {
        Problem::new("fzf failed").because(cause).hint("`unset AWSROLE_PICKER` selects awsrole's own list")
    };
    // Each line begins with the item's index, which isn't shown, so names are returned exactly.
    let mut command = Command::new(program);
    command.args(["--read0", "--print0", "--print-query", "--ansi", "--delimiter=\t", "--with-nth=2..", "--reverse"]);
    command.args(["--tiebreak=index", if multi { "--multi" } else { "--no-multi" }]);
    command.arg(format!("--prompt=awsrole: {} ", question.text));
    let mut running =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|e| failed(e.to_string()))?;
    if let Some(mut input) = running.stdin.take() {
        // fzf closes its input if the user cancels before it has read the whole list.
        let _ = input.write_all(lines(items, colors).as_bytes());
    }
    let done = running.wait_with_output().map_err(|e| failed(e.to_string()))?;
    match done.status.code() {
        Some(0 | NO_MATCH) => Ok(picked(&String::from_utf8_lossy(&done.stdout), items.len())),
        Some(CANCELLED) => Err(Problem::new(question.cancelled)),
        _ => Err(failed(done.status.to_string())),
    }
}

/// Returns the lines for fzf, each with a final NUL.
fn lines(items: &[Item], colors: bool) -> String {
    let width = name_width(items.iter(), MAX_NAME);
    let line = |(index, item): (usize, &Item)| {
        let name = match item.color.filter(|_| colors) {
            Some(color) => format!("\u{1b}[{}m{}\u{1b}[0m", color.code(), item.padded(width)),
            None => item.padded(width),
        };
        format!("{index}\t{name}{}\0", item.rest())
    };
    items.iter().enumerate().map(line).collect()
}

/// Parses the output: the query, and the selected lines.
fn picked(output: &str, count: usize) -> Picked<Vec<usize>> {
    let mut texts = output.split_terminator('\0');
    let query = texts.next().unwrap_or_default().trim().to_owned();
    let index = |line: &str| line.split('\t').next()?.parse::<usize>().ok().filter(|index| *index < count);
    let found: Vec<usize> = texts.filter_map(index).collect();
    if found.is_empty() { Picked::Text(query) } else { Picked::Items(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_fzf_prints() {
        assert_eq!(picked("sh\x002\tshop\x000\ta\tb\0", 3), Picked::Items(vec![2, 0]));
        for nothing in ["arn:aws \0", "arn:aws\x009\tx\0", "arn:aws\0x\0"] {
            assert_eq!(picked(nothing, 3), Picked::Text("arn:aws".into()));
        }
        assert_eq!(picked("", 3), Picked::Text(String::new()));
    }
}
