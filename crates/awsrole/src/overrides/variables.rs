//! Environment variables that files set, and those that Terraform reads.

use std::collections::BTreeMap;

use awsrole_core::base::context::Env;

/// The variables that select an identity.
const NAMES: [&str; 3] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID"];

/// Returns whether a variable selects an identity.
pub(super) fn selects(name: &str) -> bool {
    NAMES.contains(&name)
}

/// An assignment in a `.env` or `.envrc`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Assignment<'t> {
    /// The line, counted from 1.
    pub(crate) line: usize,
    pub(crate) name: &'t str,
    /// The literal value. `None` for a value that a script computes.
    pub(crate) value: Option<String>,
}

/// Returns the assignments to variables that select an identity: line, name and value.
pub(super) fn assignments(text: &str) -> Vec<(usize, &str, Option<String>)> {
    let found = literals(text).into_iter().filter(|found| selects(found.name) && found.value.as_deref() != Some(""));
    found.map(|found| (found.line, found.name, found.value)).collect()
}

/// Returns all assignments of `.env` and `.envrc`. Both formats are read as lines `[export] NAME=VALUE`.
pub(crate) fn literals(text: &str) -> Vec<Assignment<'_>> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines
        .flat_map(|(number, line)| of_line(line).map(move |(name, value)| Assignment { line: number, name, value }))
        .collect()
}

/// Returns the assignments of a line. Only `export` accepts several.
fn of_line(line: &str) -> impl Iterator<Item = (&str, Option<String>)> {
    let line = line.trim();
    let exported = line.strip_prefix("export ");
    let mut rest = exported.unwrap_or(line);
    let mut is_first = true;
    std::iter::from_fn(move || {
        if !std::mem::take(&mut is_first) && exported.is_none() {
            return None;
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let (value, after) = value(after.trim_start_matches([' ', '\t']));
        rest = after;
        Some((name, value))
    })
}

/// Reads a value up to its end. Returns `None` for a computed value, and the rest of the line.
fn value(text: &str) -> (Option<String>, &str) {
    let (mut value, mut computed) = (String::new(), false);
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_whitespace() => return ((!computed).then_some(value), &text[at..]),
            // What follows is a comment or another command.
            None if c == ';' || c == '#' => return ((!computed).then_some(value), ""),
            _ => {
                computed |= matches!(c, '$' | '`') && quote != Some('\'');
                value.push(c);
            }
        }
    }
    ((!computed).then_some(value), "")
}

/// Returns the values of Terraform's variables in the environment (`TF_VAR_name`).
pub(super) fn of_terraform(env: &Env) -> BTreeMap<String, String> {
    let pairs = env.0.iter().filter_map(|(name, value)| {
        Some((name.to_str()?.strip_prefix("TF_VAR_")?.to_owned(), value.to_str()?.to_owned()))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_a_line() {
        let shown = |line: &str| {
            let all = of_line(line).map(|(name, value)| format!("{name}={}", value.unwrap_or("?".into())));
            all.collect::<Vec<_>>().join(" ")
        };
        for (line, expected) in [
            ("export A=1 B='2 $x' C=\"$y\" D=`z`", "A=1 B=2 $x C=? D=?"),
            ("A=1 B=2", "A=1"),
            ("A = 'x'y", "A=xy"),
            ("export A=1; export B=2", "A=1"),
            ("export A", ""),
            ("if x; then export A=1; fi", ""),
            ("[[ a == b ]]", ""),
            ("A='open", "A=open"),
            ("=x", ""),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn assignments_of_variables_that_select_an_identity() {
        let text = "# AWS_PROFILE=no\nexport AWS_PROFILE=\"a b\" # x\n AWS_DEFAULT_PROFILE='c'\nAWS_PROFILE=$(x)\nAWS_PROFILE=\n\
                    AWS_ACCESS_KEY_ID=AKIA;\nexport AWS_PROFILE\nMY_AWS_PROFILE=no\nunset AWS_PROFILE\nAWS_PROFILE=d\t# y\n";
        let found: Vec<_> = assignments(text);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (2, "AWS_PROFILE", some("a b")),
                (3, "AWS_DEFAULT_PROFILE", some("c")),
                (4, "AWS_PROFILE", None),
                (6, "AWS_ACCESS_KEY_ID", some("AKIA")),
                (10, "AWS_PROFILE", some("d")),
            ]
        );
    }
}
