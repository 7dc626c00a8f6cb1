//! A list with numbers, for terminals that can't draw.

use awsrole_core::base::problem::escape;

use super::{Item, Picked, Question, name_width};
use crate::terminal::{NoAnswer, Terminal};

/// The widest column of names.
const MAX_NAME: usize = 60;

/// Shows the list and prompts for a number, a name or a part of a name.
pub(super) fn pick(
    terminal: &Terminal,
    question: &Question<'_>,
    multi: bool,
    items: &[Item],
) -> Result<Picked<Vec<usize>>, NoAnswer> {
    let width = name_width(items.iter(), MAX_NAME);
    for (index, item) in items.iter().enumerate() {
        terminal.show(&format!("{:>4}  {}{}\n", index + 1, item.padded(width), item.rest()));
    }
    loop {
        let answer = terminal.ask(&format!("awsrole: {} ", question.text))?;
        match matching(answer.trim(), items, multi) {
            found if found.is_empty() => return Ok(Picked::Text(answer.trim().to_owned())),
            Matches::Picked(found) => return Ok(Picked::Items(found)),
            Matches::Several(names) => terminal.show(&format!("  {}?\n", escape(&names.join(", ")))),
        }
    }
}

/// The items that an answer may mean.
#[derive(Debug, PartialEq, Eq)]
enum Matches<'a> {
    Picked(Vec<usize>),
    /// The names that contain the answer.
    Several(Vec<&'a str>),
}

impl Matches<'_> {
    fn is_empty(&self) -> bool {
        *self == Self::Picked(Vec::new())
    }
}

/// Returns the item with this number or name, or the only one whose name contains the text. With `multi` the answer may
/// consist of several numbers.
fn matching<'a>(answer: &str, items: &'a [Item], multi: bool) -> Matches<'a> {
    let by_number = |word: &str| word.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < items.len());
    let words: Vec<&str> = answer.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if let Some(found) = words.iter().map(|word| by_number(word)).collect::<Option<Vec<usize>>>()
        && (found.len() == 1 || multi)
    {
        let mut unique = Vec::new();
        found.into_iter().for_each(|index| {
            if !unique.contains(&index) {
                unique.push(index);
            }
        });
        return Matches::Picked(unique);
    }
    if let Some(index) = items.iter().position(|item| item.name == answer) {
        return Matches::Picked(vec![index]);
    }
    let parts = || items.iter().enumerate().filter(|(_, item)| !answer.is_empty() && item.name.contains(answer));
    match parts().count() {
        0 | 1 => Matches::Picked(parts().map(|(index, _)| index).collect()),
        _ => Matches::Several(parts().map(|(_, item)| item.name.as_str()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_items_by_number_name_and_part_of_a_name() {
        let items = super::super::items(&["shop-dev", "two words", "jump", "shop-prod"]);
        for (answer, expected) in [
            ("1", &[0][..]),
            ("4", &[3]),
            ("jump", &[2]),
            ("two", &[1]),
            ("two words", &[1]),
            ("", &[]),
            ("0", &[]),
            ("5", &[]),
            ("1 2", &[]),
            ("settings", &[]),
        ] {
            assert_eq!(matching(answer, &items, false), Matches::Picked(expected.to_vec()), "{answer:?}");
        }
        assert_eq!(matching("shop", &items, false), Matches::Several(vec!["shop-dev", "shop-prod"]));
    }

    #[test]
    fn takes_several_numbers_in_their_order() {
        let items = super::super::items(&["a", "b", "1 2"]);
        for (answer, expected) in [("2,1", &[1, 0][..]), ("1 1, 2", &[0, 1]), ("1 9", &[]), ("b", &[1])] {
            assert_eq!(matching(answer, &items, true), Matches::Picked(expected.to_vec()), "{answer:?}");
        }
        assert_eq!(matching("1 2", &items, false), Matches::Picked(vec![2]));
    }
}
