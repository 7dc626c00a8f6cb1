//! Environment variables that files set, and those that Terraform reads.

use std::collections::BTreeMap;

use awsrole_core::base::context::Env;

/// The variables that select an identity.
const NAMES: [&str; 3] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID"];

/// Returns whether a variable selects an identity.
pub(super) fn selects(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Returns the assignments to such variables in `.env` and `.envrc`: line, name and value.
///
/// Both formats are read as lines `[export] NAME=VALUE`. What a script computes isn't known: then the value is `None`.
pub(super) fn assignments(text: &str) -> Vec<(usize, &str, Option<String>)> {
    let assignment = |line: &'_ str| -> Option<(String, Option<String>)> {
        let line = line.trim().strip_prefix("export ").unwrap_or(line.trim()).trim_start();
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
        let plain = value.split([' ', '\t', ';', '#']).next().unwrap_or_default();
        let value = quoted.unwrap_or(plain);
        let computed = value.contains(['$', '`']) && !value.is_empty();
        Some((name.trim_end().to_owned(), (!computed).then(|| value.to_owned())))
    };
    let found = text.lines().enumerate().filter_map(|(index, line)| {
        let (name, value) = assignment(line)?;
        let name = NAMES.iter().find(|known| **known == name)?;
        Some((index + 1, *name, value))
    });
    found.filter(|(_, _, value)| value.as_deref() != Some("")).collect()
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
