//! Errors about TOML files, in awsrole's words instead of those of the parser and of serde.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::base::location::{Origin, line_of};
use crate::base::problem::Problem;
use crate::base::suggest::suggestion;

/// A key that no file contains. It takes the place of one that is defined twice.
const MARK: &str = "awsrole-duplicate-key";

/// Converts an error about a file into a problem with the line, the key and a hint.
///
/// `at` is the position of the error if it has none itself.
#[must_use]
pub fn toml_error(error: &Error, at: usize, file: &Path, bytes: &[u8]) -> Problem {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let span = error.span().unwrap_or(at..at);
    let problem = |what: String| {
        let origin = Origin { file: file.to_owned(), line: line_of(bytes, span.start) };
        Problem::new(format!("{origin}: {what}"))
    };
    let key = key_at(text, span.start);
    let subject = key.map_or("a value".to_owned(), |key| format!("`{key}`"));
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    if message == "duplicate key" {
        let name = unquoted(text.get(span.clone()).unwrap_or_default());
        let first = first_definition(text, &span).map(|at| format!(", first in line {}", line_of(bytes, at)));
        return problem(format!("`{name}` is defined twice{}", first.unwrap_or_default()));
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|text| text.split_once(", expected "))
    {
        let problem = problem(format!("{subject} must be {}, but is {}", kind(expected), kind(found)));
        let is_scalar = ["integer ", "floating point ", "boolean "].iter().any(|scalar| found.starts_with(scalar));
        return if expected == "a string" && is_scalar { problem.hint("put the value in quotes") } else { problem };
    }
    if let Some(names) = message.strip_prefix("unknown variant ") {
        let mut names = names.split('`').skip(1).step_by(2);
        let (name, known) = (names.next().unwrap_or_default(), names.collect::<Vec<_>>());
        return problem(format!("{subject} can't be `{name}`")).hint(suggestion(name, "the values are", &known));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return problem(format!("{name} is missing"));
    }
    match message.as_str() {
        // How the parser reads an enum.
        "wanted string or table" => problem(format!("{subject} must be a string")).hint("put the value in quotes"),
        "unexpected leading zero, expected nothing" => problem("a number can't begin with 0".to_owned())
            .hint("put the value in quotes: account_id = \"012345678901\""),
        "string values must be quoted, expected literal string" => {
            problem(format!("{subject} must be a string in quotes, a number, true or false")).hint(SYNTAX)
        }
        _ if message.contains("expected `=`") => problem(message).hint(SYNTAX),
        // The message of awsrole's own types begins with the value, or with what it must be.
        _ if message.starts_with('`') || message.starts_with("must be ") => {
            problem(key.map(|key| format!("{key} ")).unwrap_or_default() + &message)
        }
        _ => problem(message),
    }
}

const SYNTAX: &str = "the file is TOML: each line is `key = \"value\"`, with text in quotes";

/// Returns the key whose value begins at a position, or the name of the table whose header begins there.
fn key_at(text: &str, at: usize) -> Option<&str> {
    let (before, after) = text.split_at_checked(at)?;
    let line = before.rsplit('\n').next()?.trim_end();
    let key = match line.strip_suffix('=') {
        Some(assigned) => assigned.trim_end().rsplit([' ', '\t', '{', ',']).next()?,
        None if line.is_empty() => after.strip_prefix('[')?.trim_start_matches('[').split(']').next()?.trim(),
        None => return None,
    };
    Some(unquoted(key)).filter(|key| !key.is_empty())
}

fn unquoted(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

/// Returns the position at which the key of a `duplicate key` error is defined first: that of the key with the same
/// name in the table to which the second one belongs.
fn first_definition(text: &str, second: &Range<usize>) -> Option<usize> {
    let name = unquoted(text.get(second.clone())?);
    let marked = format!("{}{MARK}{}", text.get(..second.start)?, text.get(second.end..)?);
    let (table, _) = DeTable::parse_recoverable(&marked);
    let first = siblings(table.get_ref())?.keys().find(|key| key.get_ref() == name)?.span().start;
    Some(first).filter(|first| *first < second.start)
}

/// Returns the table that contains [`MARK`].
fn siblings<'t, 'i>(table: &'t DeTable<'i>) -> Option<&'t DeTable<'i>> {
    fn of_value<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Option<&'t DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => siblings(table),
            DeValue::Array(values) => values.iter().find_map(of_value),
            _ => None,
        }
    }
    match table.contains_key(MARK) {
        true => Some(table),
        false => table.values().find_map(of_value),
    }
}

/// Returns serde's name of a type, or of a value with its type, in the terms of TOML.
fn kind(text: &str) -> String {
    match text.split_once(' ') {
        _ if text == "map" || text == "a map" || text.starts_with("struct ") => "a table".to_owned(),
        _ if text == "sequence" || text == "a sequence" => "an array".to_owned(),
        Some(("integer", number)) => format!("the integer {}", number.split(" as ").next().unwrap_or(number)),
        Some(("floating", number)) => number.replacen("point", "the number", 1),
        Some(("boolean" | "string", _)) => format!("the {text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Auto,
        None,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only its errors are read")]
        path: String,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its errors are read")]
    struct File {
        text: Option<String>,
        flag: Option<bool>,
        list: Option<Vec<String>>,
        word: Option<Word>,
        inner: Option<Inner>,
        inners: Option<Vec<Inner>>,
        age: Option<crate::aws::duration::Seconds>,
        policy: Option<crate::aws::policy_document::Policy>,
    }

    fn error(text: &str) -> String {
        let error = toml::from_str::<File>(text).unwrap_err();
        toml_error(&error, 0, Path::new("f"), text.as_bytes()).to_string().replace("\n  hint", "")
    }

    #[test]
    fn a_duplicate_key_is_named_with_its_first_line() {
        for (text, expected) in [
            ("text = 'a'\ntext = 'b'\n", "f:2: `text` is defined twice, first in line 1"),
            ("[role.a]\n[role.b]\n[role.a]\n", "f:3: `a` is defined twice, first in line 1"),
            (
                "text = 'a'\n[role.a]\ntext = 'b'\n[role.b]\ntext = 'c'\n\"text\" = 'd'\n",
                "f:6: `text` is defined twice, first in line 5",
            ),
            ("x = { a = 1, y = 2, a = 3 }\n", "f:1: `a` is defined twice, first in line 1"),
            ("[[x]]\na = 1\n[[x]]\na = 2\na = 3\n", "f:5: `a` is defined twice, first in line 4"),
            ("text = 'a'\n[text]\n", "f:2: `text` is defined twice, first in line 1"),
        ] {
            assert_eq!(error(text), format!("awsrole: {expected}"), "{text}");
        }
    }

    #[test]
    fn no_text_of_a_library_is_shown() {
        for (text, expected) in [
            ("text = 5", "`text` must be a string, but is the integer `5`: put the value in quotes"),
            ("text = 1.5", "`text` must be a string, but is the number `1.5`: put the value in quotes"),
            ("text = [1]", "`text` must be a string, but is an array"),
            ("text = {}", "`text` must be a string, but is a table"),
            ("flag = 'on'", "`flag` must be a boolean, but is the string \"on\""),
            ("list = 'a'", "`list` must be an array, but is the string \"a\""),
            ("list = [1]", "a value must be a string, but is the integer `1`: put the value in quotes"),
            ("inner = 5", "`inner` must be a table, but is the integer `5`"),
            ("inner = { path = 5 }", "`path` must be a string, but is the integer `5`: put the value in quotes"),
            ("[inners]", "`inners` must be an array, but is a table"),
            ("[inner]", "`path` is missing"),
            ("word = 'atuo'", "`word` can't be `atuo`: did you mean `auto`?"),
            ("word = 'x'", "`word` can't be `x`: the values are: auto, none"),
            ("word = 5", "`word` must be a string: put the value in quotes"),
            ("age = '5x'", "age `5x` isn't a duration: write \"45m\", \"8h\" or a number of seconds"),
            ("age = -5", "age `-5` isn't a duration: write \"45m\", \"8h\" or a number of seconds"),
            ("policy = 5", "policy must be a table or a JSON string"),
            ("text = 05", "a number can't begin with 0: put the value in quotes: account_id = \"012345678901\""),
            ("text = a", &format!("`text` must be a string in quotes, a number, true or false: {SYNTAX}")),
            ("text", &format!("key with no value, expected `=`: {SYNTAX}")),
        ] {
            assert_eq!(error(text), format!("awsrole: f:1: {expected}"), "{text}");
        }
    }
}
