//! Lets the user pick from a list: a fuzzy one on the terminal, a numbered one if the terminal can't draw, or fzf.

mod fzf;
mod keys;
mod list;
mod numbered;

use awsrole_core::base::context::Env;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::settings::accounts::Color;
use unicode_width::UnicodeWidthStr;

use crate::terminal::{NoAnswer, Terminal};

/// The variable that selects another picker. Its only value is `fzf`.
const VARIABLE: &str = "AWSROLE_PICKER";

/// The smallest terminal for the fuzzy list, in columns and rows.
const SMALLEST: (usize, usize) = (30, 4);

/// A row of the list.
pub(crate) struct Item {
    /// The name, which may contain any characters. It is escaped when it is shown.
    pub(crate) name: String,
    /// A description, such as the account.
    pub(crate) about: String,
    /// Words such as `current`, which are shown in parentheses.
    pub(crate) marks: Vec<&'static str>,
    /// The color of the account.
    pub(crate) color: Option<Color>,
}

/// The prompt and its options.
pub(crate) struct Question<'a> {
    /// The prompt, without the program's name.
    pub(crate) text: &'a str,
    /// The error if the user picks nothing.
    pub(crate) cancelled: &'a str,
}

/// The answer. `I` is an index, or a list of indices.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Picked<I> {
    /// What the user picked.
    Items(I),
    /// A typed text that no item matches. It may be empty.
    Text(String),
}

/// Lets the user pick one of the items. Returns its index.
///
/// # Errors
/// Fails if the user cancels, and if AWSROLE_PICKER names a picker that doesn't exist or isn't installed.
pub(crate) fn pick_one(
    terminal: &Terminal,
    env: &Env,
    question: &Question<'_>,
    items: &[Item],
) -> Result<Picked<usize>, Problem> {
    Ok(match pick(terminal, env, question, false, items)? {
        Picked::Items(indices) => indices.first().map_or(Picked::Text(String::new()), |index| Picked::Items(*index)),
        Picked::Text(text) => Picked::Text(text),
    })
}

/// Lets the user pick several items, at least one. Returns their indices in the order in which they were picked.
///
/// # Errors
/// As [`pick_one`].
pub(crate) fn pick_several(
    terminal: &Terminal,
    env: &Env,
    question: &Question<'_>,
    items: &[Item],
) -> Result<Picked<Vec<usize>>, Problem> {
    pick(terminal, env, question, true, items)
}

fn pick(
    terminal: &Terminal,
    env: &Env,
    question: &Question<'_>,
    multi: bool,
    items: &[Item],
) -> Result<Picked<Vec<usize>>, Problem> {
    let can_draw = env.filled("TERM").is_some_and(|term| term != "dumb")
        && terminal.size().is_ok_and(|(columns, rows)| columns >= SMALLEST.0 && rows >= SMALLEST.1);
    let answer = match env.filled(VARIABLE) {
        Some("fzf") => return fzf::pick(question, multi, items, terminal.may_color()),
        Some(other) => {
            return Err(Problem::new(format!("{VARIABLE} is `{other}`, which is no picker that awsrole knows"))
                .hint(format!("`export {VARIABLE}=fzf`, or `unset {VARIABLE}` for awsrole's own list")));
        }
        None if can_draw => list::pick(terminal, question, multi, items, terminal.may_color()),
        None => numbered::pick(terminal, question, multi, items),
    };
    answer.map_err(|reason| match reason {
        NoAnswer::NoTerminal => Problem::new("there is no terminal to prompt on"),
        NoAnswer::Cancelled => Problem::new(question.cancelled),
    })
}

impl Item {
    /// Returns the name as it is shown, filled up to a width in columns.
    fn padded(&self, width: usize) -> String {
        let name = escape(&self.name);
        let missing = width.saturating_sub(name.width());
        name + &" ".repeat(missing)
    }

    /// Returns what follows the name in a row.
    fn rest(&self) -> String {
        let marks: String = self.marks.iter().map(|mark| format!("  ({mark})")).collect();
        format!("  {}{marks}", escape(&self.about)).trim_end().to_owned()
    }
}

/// Returns the width of the longest name in columns, but at most `most`.
fn name_width<'a>(items: impl Iterator<Item = &'a Item>, most: usize) -> usize {
    items.map(|item| escape(&item.name).width()).max().unwrap_or_default().min(most)
}

#[cfg(test)]
fn items(names: &[&str]) -> Vec<Item> {
    let item = |name: &&str| Item { name: (*name).to_owned(), about: "here".into(), marks: Vec::new(), color: None };
    names.iter().map(item).collect()
}
