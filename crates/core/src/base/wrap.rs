//! Wraps messages for a terminal.

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Wraps a line at blanks. Continuation lines begin with `hang` blanks.
///
/// A command in backticks stays on one line, even if it is longer than `columns`: a command with a line break in it
/// could not be copied. A word that is longer than a line isn't broken either.
#[must_use]
pub fn wrap(line: &str, columns: usize, hang: usize) -> Vec<String> {
    let indent = " ".repeat(hang);
    let options = Options::new(columns)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_separator(WordSeparator::Custom(words))
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(line, options).into_iter().map(|line| line.into_owned()).collect()
}

/// Splits a line at blanks outside backticks. Each word has the blanks that follow it, the first one also those before
/// it.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut starts = vec![0];
    let (mut quoted, mut after_blank, mut has_word) = (false, false, false);
    for (at, c) in line.char_indices() {
        if c != ' ' && after_blank && has_word {
            starts.push(at);
        }
        quoted ^= c == '`';
        after_blank = c == ' ' && !quoted;
        has_word |= c != ' ';
    }
    let ends: Vec<usize> = starts[1..].iter().copied().chain([line.len()]).collect();
    Box::new(starts.into_iter().zip(ends).map(|(start, end)| Word::from(&line[start..end])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_at_blanks_outside_of_commands() {
        for (line, expected) in [
            ("", vec![""]),
            ("awsrole: short", vec!["awsrole: short"]),
            ("  hint: aaaa bbbb cccc dddd", vec!["  hint: aaaa bbbb", "    cccc dddd"]),
            ("  hint: run `a b c d e f` now", vec!["  hint: run", "    `a b c d e f`", "    now"]),
            ("awsrole: `a b c d e f g h i j k l`: no", vec!["awsrole:", "    `a b c d e f g h i j k l`:", "    no"]),
            ("a-very-long-word-without-any-blank x", vec!["a-very-long-word-without-any-blank", "    x"]),
            ("one `unclosed a b c d e f", vec!["one", "    `unclosed a b c d e f"]),
            ("äöü äöü äöü äöü äöü", vec!["äöü äöü äöü äöü", "    äöü"]),
        ] {
            assert_eq!(wrap(line, 18, 4), expected, "{line}");
        }
    }
}
