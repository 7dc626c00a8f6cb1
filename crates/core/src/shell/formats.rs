//! Writes the variables of a role as text for scripts, tools and CI.

use zeroize::Zeroizing;

use crate::base::problem::{Problem, escape_json};
use crate::shell::environment::{EnvDiff, Value};
use crate::shell::state::NAME;
use crate::shell::statements::Shell;

/// An output format of `awsrole env`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Statements for sh, bash and zsh, including `unset` statements.
    Shell,
    /// `NAME=value` for docker compose and the libraries that read `.env` files.
    Dotenv,
    /// A JSON object.
    Json,
    /// `NAME=value` for the file that `$GITHUB_ENV` names (GitHub Docs, "Workflow commands").
    Github,
}

/// Writes the variables of a role. AWSROLE_STATE is omitted from formats that may be read on another machine or by
/// programs that don't know awsrole.
///
/// # Errors
/// Fails for a value that the readers of the format would interpret differently.
pub fn variables(diff: &EnvDiff, format: Format) -> Result<Zeroizing<String>, Problem> {
    let stays_here = matches!(format, Format::Shell | Format::Github);
    let values = diff.set.iter().filter(|(name, _)| stays_here || *name != NAME);
    let values = values.map(|(name, value)| (name.as_ref(), value.shown()));
    // The capacity is allocated at once, because a growing buffer would leave copies of secrets in memory.
    let mut text = Zeroizing::new(String::with_capacity(64 * 1024));
    match format {
        Format::Shell => {
            text.push_str(&format!("unset {}\n", diff.hide.join(" ")));
            for (name, value) in values {
                text.extend(["export ", name, "=", &Zeroizing::new(Shell::Bash.quote(value)), "\n"]);
            }
        }
        Format::Dotenv => {
            for (name, value) in values {
                text.extend([name, "=", &dotenv(name, value)?, "\n"]);
            }
        }
        Format::Github => {
            for (name, value) in values {
                if value.contains(['\n', '\r']) {
                    return Err(unwritable(name, "$GITHUB_ENV takes a value on one line"));
                }
                text.extend([name, "=", value, "\n"]);
            }
        }
        Format::Json => {
            for (name, value) in values {
                let before = if text.is_empty() { "{" } else { "," };
                let value =
                    Zeroizing::new(escape_json(&Zeroizing::new(serde_json::to_string(value).unwrap_or_default())));
                text.extend([before, "\n  \"", name, "\": ", &value]);
            }
            text.push_str("\n}\n");
        }
    }
    Ok(text)
}

/// Returns the commands that mask secrets in the log of a GitHub Actions job. They also mask the access key ID, which
/// would identify the account in a public log.
#[must_use]
pub fn masks(diff: &EnvDiff) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
    for (name, value) in &diff.set {
        if matches!(value, Value::Secret(_)) || *name == "AWS_ACCESS_KEY_ID" {
            // Characters that would end the command are percent-encoded (actions/toolkit, `command.ts`).
            let escaped = value.shown().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
            text.extend(["::add-mask::", &Zeroizing::new(escaped), "\n"]);
        }
    }
    text
}

/// Quotes a value so that docker compose, `docker run --env-file` and the libraries read it alike.
///
/// `docker run` doesn't remove quotes, so a value has none if it can be written without. A value with characters that
/// would be expanded or begin a comment gets single quotes. Readers disagree about quotes and backslashes inside
/// quotes, so these are rejected.
fn dotenv(name: &str, value: &str) -> Result<Zeroizing<String>, Problem> {
    let plain = |c: char| c.is_alphanumeric() || "/+=._:@,-".contains(c);
    if value.chars().all(plain) {
        return Ok(Zeroizing::new(value.to_owned()));
    }
    if value.contains(['\'', '\\']) || value.contains(char::is_control) {
        return Err(unwritable(name, "programs that read .env files disagree about quotes, backslashes and newlines"));
    }
    Ok(Zeroizing::new(format!("'{value}'")))
}

fn unwritable(name: &str, why: &str) -> Problem {
    Problem::new(format!("the value of {name} can't be written in this format"))
        .because(why)
        .hint("--format json supports all values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    fn diff(role: &str) -> EnvDiff {
        let secret = Value::Secret(Secret::new("a/b+c="));
        let set = vec![
            ("AWS_SECRET_ACCESS_KEY".into(), secret),
            ("AWSROLE_ROLE".into(), Value::Plain(role.to_owned())),
            (NAME.into(), Value::Plain("{}".to_owned())),
        ];
        EnvDiff { set, hide: vec!["AWS_PROFILE", "AWS_ACCOUNT_ID"] }
    }

    fn text(role: &str, format: Format) -> String {
        variables(&diff(role), format).unwrap().to_string()
    }

    #[test]
    fn each_format_quotes_as_its_readers_read() {
        assert_eq!(
            text("it's $1", Format::Shell),
            "unset AWS_PROFILE AWS_ACCOUNT_ID\nexport AWS_SECRET_ACCESS_KEY='a/b+c='\nexport AWSROLE_ROLE='it'\\''s $1'\nexport AWSROLE_STATE='{}'\n"
        );
        assert_eq!(text("a $b #c", Format::Dotenv), "AWS_SECRET_ACCESS_KEY=a/b+c=\nAWSROLE_ROLE='a $b #c'\n");
        assert_eq!(
            text("a\"b", Format::Json),
            "{\n  \"AWS_SECRET_ACCESS_KEY\": \"a/b+c=\",\n  \"AWSROLE_ROLE\": \"a\\\"b\"\n}\n"
        );
        assert_eq!(text("a b", Format::Github), "AWS_SECRET_ACCESS_KEY=a/b+c=\nAWSROLE_ROLE=a b\nAWSROLE_STATE={}\n");
    }

    #[test]
    fn what_a_format_can_not_hold_is_refused() {
        for (role, format) in [("it's", Format::Dotenv), ("a\\b", Format::Dotenv), ("a\nb", Format::Github)] {
            let problem = variables(&diff(role), format).err().unwrap();
            assert!(problem.summary.contains("AWSROLE_ROLE"), "{problem}");
        }
    }

    #[test]
    fn keys_are_masked_and_nothing_else() {
        let mut diff = diff("x");
        diff.set.insert(0, ("AWS_ACCESS_KEY_ID".into(), Value::Plain("ASIA1".to_owned())));
        assert_eq!(masks(&diff).as_str(), "::add-mask::ASIA1\n::add-mask::a/b+c=\n");
    }
}
