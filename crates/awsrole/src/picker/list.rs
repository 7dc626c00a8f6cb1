//! A list below the prompt that shrinks to what matches the typed text.
//!
//! It is drawn from the line of the prompt downward, and each line is shorter than the terminal is wide. So a list can
//! be erased from that line on, whatever the size of the terminal was when it was drawn.

use std::cmp::Reverse;

use awsrole_core::base::problem::escape;
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::keys::{self, KeyPress};
use super::{Item, Picked, Question, name_width};
use crate::terminal::{NoAnswer, Terminal, Waits};

/// The largest number of items that are shown at once.
const MAX_ROWS: usize = 15;

/// The longest text that can be typed, in characters. An ARN of a role has up to 2048 bytes, most of them a tenth.
const MAX_QUERY: usize = 512;

/// Erases the line of the cursor and everything below it (ECMA-48, ED).
const ERASE: &str = "\r\u{1b}[J";

/// Draws the list until the user picks or cancels.
pub(super) fn pick(
    terminal: &Terminal,
    question: &Question<'_>,
    multi: bool,
    items: &[Item],
    colors: bool,
) -> Result<Picked<Vec<usize>>, NoAnswer> {
    let mut list = List::new(items, question, multi, colors);
    terminal.interact(Waits::Briefly, ERASE, || {
        let picked = loop {
            let size = terminal.size().map_err(|_| NoAnswer::Cancelled)?;
            terminal.show(&list.screen(size));
            match keys::read(terminal, size) {
                Ok(key) => {
                    if let Some(picked) = list.press(key) {
                        break picked;
                    }
                }
                Err(reason) => {
                    terminal.show(ERASE);
                    return Err(reason);
                }
            }
        };
        let names = match &picked {
            Picked::Items(indices) => indices.iter().map(|index| items[*index].name.as_str()).collect::<Vec<_>>(),
            Picked::Text(text) => vec![text.as_str()],
        };
        terminal.show(&format!("{ERASE}awsrole: {} {}\n", question.text, escape(&names.join(", "))));
        Ok(picked)
    })
}

/// The state of the list.
struct List<'a> {
    items: &'a [Item],
    question: &'a Question<'a>,
    /// Whether several items can be picked.
    multi: bool,
    colors: bool,
    query: String,
    /// The items that match the query, the best first.
    matches: Vec<usize>,
    /// The item at the pointer, and the first one that is shown, as positions in `matches`.
    at: usize,
    top: usize,
    rows: usize,
    /// The marked items, in the order in which they were marked.
    marked: Vec<usize>,
    matcher: Matcher,
    /// The text of each item in which the query is searched, and the length of the name at its start in bytes.
    texts: Vec<(String, usize)>,
}

impl<'a> List<'a> {
    fn new(items: &'a [Item], question: &'a Question<'a>, multi: bool, colors: bool) -> Self {
        let text = |name: String, item: &Item| (format!("{name}{}", item.rest()), name.len());
        let texts = items.iter().map(|item| text(escape(&item.name), item)).collect();
        let (query, matches, marked) = (String::new(), (0..items.len()).collect(), Vec::new());
        let matcher = Matcher::new(Config::DEFAULT);
        Self { items, question, multi, colors, query, matches, at: 0, top: 0, rows: 1, marked, matcher, texts }
    }

    /// Applies a key. Returns the answer if the key gives one.
    fn press(&mut self, key: KeyPress) -> Option<Picked<Vec<usize>>> {
        let last = self.matches.len().saturating_sub(1);
        match key {
            KeyPress::Enter => return self.picked(),
            KeyPress::Tab if self.multi => {
                if let Some(index) = self.matches.get(self.at) {
                    match self.marked.iter().position(|marked| marked == index) {
                        Some(at) => drop(self.marked.remove(at)),
                        None => self.marked.push(*index),
                    }
                    self.at = last.min(self.at + 1);
                }
            }
            KeyPress::Up => self.at = self.at.saturating_sub(1),
            KeyPress::Down => self.at = last.min(self.at + 1),
            KeyPress::PageUp => self.at = self.at.saturating_sub(self.rows),
            KeyPress::PageDown => self.at = last.min(self.at + self.rows),
            KeyPress::Home => self.at = 0,
            KeyPress::End => self.at = last,
            KeyPress::Text(c) if self.query.chars().count() < MAX_QUERY => {
                self.query.push(c);
                self.filter();
            }
            KeyPress::Erase => {
                self.query.pop();
                self.filter();
            }
            KeyPress::EraseWord => {
                let kept = self.query.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.query.truncate(kept);
                self.filter();
            }
            KeyPress::EraseAll => {
                self.query.clear();
                self.filter();
            }
            KeyPress::Text(_) | KeyPress::Tab | KeyPress::Resized | KeyPress::Unknown => {}
        }
        None
    }

    fn picked(&self) -> Option<Picked<Vec<usize>>> {
        if !self.marked.is_empty() {
            return Some(Picked::Items(self.marked.clone()));
        }
        match self.matches.get(self.at) {
            Some(index) => Some(Picked::Items(vec![*index])),
            None => Some(Picked::Text(self.query.trim().to_owned())),
        }
    }

    /// Computes which items match the query: the letters of each word in the name, or the word itself anywhere. A match
    /// within the name is better than any other, and equally good ones keep their order.
    fn filter(&mut self) {
        let pattern = Pattern::parse(&self.query, CaseMatching::Smart, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(bool, u32, usize)> = Vec::new();
        for (index, (text, name)) in self.texts.iter().enumerate() {
            let mut in_name = true;
            let score = pattern.atoms.iter().map(|atom| {
                let of_name = atom.score(Utf32Str::new(&text[..*name], &mut buffer), &mut self.matcher);
                of_name.or_else(|| {
                    in_name = false;
                    let mut word = atom.clone();
                    if word.kind == AtomKind::Fuzzy {
                        word.kind = AtomKind::Substring;
                    }
                    word.score(Utf32Str::new(text, &mut buffer), &mut self.matcher)
                })
            });
            let score = score.map(|score| score.map(u32::from)).sum::<Option<u32>>();
            scored.extend(score.map(|score| (in_name, score, index)));
        }
        scored.sort_by_key(|(in_name, score, index)| (Reverse(*in_name), Reverse(*score), *index));
        self.matches = scored.into_iter().map(|(.., index)| index).collect();
        (self.at, self.top) = (0, 0);
    }

    /// Returns the output: the lines, and the movement of the cursor back to the end of the prompt.
    fn screen(&mut self, (columns, rows): (usize, usize)) -> String {
        let width = columns.saturating_sub(1);
        self.rows = rows.saturating_sub(2).clamp(1, MAX_ROWS);
        self.top = self.top.clamp(self.at.saturating_sub(self.rows - 1), self.at);
        let prompt = format!("awsrole: {} ", self.question.text);
        let room = width.saturating_sub(prompt.width()).max(1);
        let prompt = cut(&prompt, width.saturating_sub(1)) + &tail(&self.query, room);
        let shown: Vec<usize> = self.matches.iter().skip(self.top).take(self.rows).copied().collect();
        let names = name_width(shown.iter().map(|index| &self.items[*index]), width / 2);
        let mut lines = vec![prompt.clone()];
        for (row, index) in shown.into_iter().enumerate() {
            lines.push(self.line(index, self.top + row == self.at, names, width));
        }
        let help = match self.multi {
            true => "Tab marks, Enter takes the marked ones, Esc cancels",
            false => "Enter selects, Esc cancels",
        };
        let marked = if self.marked.is_empty() { String::new() } else { format!(", {} marked", self.marked.len()) };
        let counts = format!("  {}/{}{marked}  {help}", self.matches.len(), self.items.len());
        lines.push(self.painted("2", &cut(&counts, width)));
        format!("{ERASE}{}\u{1b}[{}A\r\u{1b}[{}C", lines.join("\n"), lines.len() - 1, prompt.width())
    }

    /// Returns the line of an item, with its name in the color of the account.
    fn line(&self, index: usize, at_pointer: bool, names: usize, width: usize) -> String {
        let item = &self.items[index];
        let pointer = if at_pointer { "> " } else { "  " };
        let mark = match (self.multi, self.marked.contains(&index)) {
            (false, _) => "",
            (true, true) => "* ",
            (true, false) => "  ",
        };
        let start = format!("{pointer}{mark}");
        let name = cut(&item.padded(names), names.min(width.saturating_sub(start.len())));
        let rest = cut(&item.rest(), width.saturating_sub(start.len() + name.width()));
        let color = item.color.map(|color| color.code().to_string()).unwrap_or_default();
        let style = match (at_pointer, color.as_str()) {
            (true, "") => "1".to_owned(),
            (true, color) => format!("1;{color}"),
            (false, color) => color.to_owned(),
        };
        format!("{start}{}{}", self.painted(&style, &name), self.painted(if at_pointer { "1" } else { "" }, &rest))
    }

    fn painted(&self, style: &str, text: &str) -> String {
        if self.colors && !style.is_empty() && !text.is_empty() {
            format!("\u{1b}[{style}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Cuts a text to a width in columns. A `…` replaces the part that was cut off.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fitting = text.chars().take_while(|c| {
        used += c.width().unwrap_or_default();
        used <= width
    });
    let kept: String = fitting.collect();
    if width == 0 { kept } else { kept + "…" }
}

/// Returns the end of a text that fits a width in columns.
fn tail(text: &str, width: usize) -> String {
    let text = escape(text);
    let mut used = 0;
    let fitting = text.char_indices().rev().take_while(|(_, c)| {
        used += c.width().unwrap_or_default();
        used < width
    });
    let start = fitting.last().map_or(text.len(), |(at, _)| at);
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Question<'_> = Question { text: "which role?", cancelled: "" };
    const MANY: Question<'_> = Question { text: "which?", cancelled: "" };

    fn typed(list: &mut List<'_>, text: &str) {
        text.chars().for_each(|c| assert_eq!(list.press(KeyPress::Text(c)), None));
    }

    #[test]
    fn the_best_match_is_the_first_and_enter_takes_it() {
        let items = super::super::items(&["shop-dev", "shop-prod", "billing-prod", "größe"]);
        for (text, expected) in
            [("", 0), ("prod", 1), ("bprod", 2), ("gr", 3), ("grosse", 9), ("shop !dev", 1), ("'dev", 0), ("here", 0)]
        {
            let mut list = List::new(&items, &ONE, false, false);
            typed(&mut list, text);
            let found = list.press(KeyPress::Enter);
            let expected = if expected == 9 { Picked::Text(text.into()) } else { Picked::Items(vec![expected]) };
            assert_eq!(found, Some(expected), "{text}");
        }
    }

    #[test]
    fn descriptions_are_searched_for_words() {
        let mut items = super::super::items(&["jump", "personal", "shop-prod"]);
        items[0].about = "profile, role in 111111111111 (corp domain)".into();
        for (text, expected) in [("prod", vec![2]), ("domain", vec![0]), ("jmp 1111", vec![0]), ("spr here", vec![2])] {
            let mut list = List::new(&items, &ONE, false, false);
            typed(&mut list, text);
            assert_eq!(list.matches, expected, "{text}");
        }
    }

    #[test]
    fn what_no_item_matches_is_returned_as_it_was_typed() {
        let items = super::super::items(&["jump"]);
        let mut list = List::new(&items, &ONE, false, false);
        typed(&mut list, "arn:aws:iam::1 ");
        list.press(KeyPress::Erase);
        assert_eq!(list.press(KeyPress::Enter), Some(Picked::Text("arn:aws:iam::1".into())));
        typed(&mut list, " two words");
        list.press(KeyPress::EraseWord);
        assert_eq!(list.query, "arn:aws:iam::1 two ");
        list.press(KeyPress::EraseAll);
        assert_eq!(list.press(KeyPress::Enter), Some(Picked::Items(vec![0])));
    }

    #[test]
    fn marks_stay_while_the_query_changes() {
        let items = super::super::items(&["a1", "b1", "a2", "b2"]);
        let mut list = List::new(&items, &MANY, true, false);
        typed(&mut list, "b");
        list.press(KeyPress::Down);
        list.press(KeyPress::Tab);
        list.press(KeyPress::EraseAll);
        list.press(KeyPress::Tab);
        assert!(list.screen((80, 24)).contains("2 marked"));
        assert_eq!(list.press(KeyPress::Enter), Some(Picked::Items(vec![3, 0])));
        list.press(KeyPress::Home);
        list.press(KeyPress::Tab);
        assert_eq!(list.press(KeyPress::Enter), Some(Picked::Items(vec![3])));
    }

    #[test]
    fn every_line_is_shorter_than_the_terminal_and_all_fit_on_it() {
        let long = "名前".repeat(40);
        let names = ["a", &long, "with a\u{1b}[31mcolor", "\u{202e}txt", "tab\tnewline\n"];
        let items = super::super::items(&names.repeat(20));
        for size in [(30, 4), (31, 5), (80, 24), (200, 50)] {
            let mut list = List::new(&items, &MANY, true, false);
            list.query = "q".repeat(100);
            for key in [
                KeyPress::Resized,
                KeyPress::End,
                KeyPress::Tab,
                KeyPress::PageUp,
                KeyPress::Up,
                KeyPress::Home,
                KeyPress::PageDown,
            ] {
                list.press(key);
                let screen = list.screen(size);
                let (lines, back) = screen.strip_prefix(ERASE).unwrap().rsplit_once("\u{1b}[").unwrap();
                let (lines, up) = lines.rsplit_once("\u{1b}[").unwrap();
                assert!(back.ends_with('C') && up.ends_with("A\r"), "{screen:?}");
                let lines: Vec<&str> = lines.split('\n').collect();
                assert!(lines.len() <= size.1 && lines.iter().all(|line| line.width() < size.0), "{lines:#?}");
                assert!(!lines.concat().contains(char::is_control), "{lines:?}");
                assert_eq!(lines.iter().filter(|line| line.starts_with("> ")).count(), 1, "{lines:#?}");
            }
        }
    }
}
