//! Finds options and variables in command lines that select a profile: in scripts of npm, rules of make and shell
//! scripts.

/// Programs with an option `--profile` for an AWS profile, and their names in messages. Other programs have an option
/// of that name, too, such as cargo and docker compose.
const PROGRAMS: [(&str, &str); 10] = [
    ("aws", "the AWS CLI"),
    ("sam", "SAM"),
    ("cdk", "CDK"),
    ("serverless", "Serverless"),
    ("sls", "Serverless"),
    ("osls", "Serverless"),
    ("eksctl", "eksctl"),
    ("copilot", "copilot"),
    ("eb", "eb"),
    ("chalice", "chalice"),
];

/// Subcommands whose `--profile` names what they sign in to or configure. They use no role.
const OF_PROFILES: [&str; 3] = ["configure", "login", "logout"];

/// What sets a profile if no known program is called.
const UNKNOWN: &str = "this command";

/// A setting in a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) tool: &'static str,
    pub(super) text: String,
    /// The name of the profile, unless the shell or make computes it.
    pub(super) profile: Option<String>,
}

/// Returns the settings in a command line of sh or make.
pub(super) fn settings(line: &str) -> Vec<Found> {
    let line = line.trim_start().trim_start_matches(['@', '-', '+']);
    if line.starts_with('#') {
        return Vec::new();
    }
    line.split(['|', ';', '&', '`']).flat_map(of_command).collect()
}

fn of_command(command: &str) -> Vec<Found> {
    let words: Vec<&str> = command.split_whitespace().map(|word| word.trim_matches(['"', '\'', '\\'])).collect();
    if words.iter().any(|word| OF_PROFILES.contains(word)) {
        return Vec::new();
    }
    let name =
        |word: &str| word.rsplit(['/', '(']).next().and_then(|name| PROGRAMS.iter().find(|(known, _)| *known == name));
    let program = |words: &[&str]| words.iter().find_map(|word| name(word)).map(|(_, shown)| *shown);
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let (key, value, separator) = match word.split_once('=') {
            Some((key, value)) => (key, value.trim_matches(['"', '\'']), "="),
            None => (*word, words.get(index + 1).copied().unwrap_or_default(), " "),
        };
        let value = if value.contains('(') { value } else { value.trim_end_matches(')') };
        let before = program(&words[..index]);
        let tool = match key {
            "--aws-profile" => before.or(Some(UNKNOWN)),
            "--profile" => before,
            // An assignment before the command, or one for the rest of the script.
            "AWS_PROFILE" | "AWS_DEFAULT_PROFILE" if separator == "=" && before.is_none() => {
                Some(program(&words).unwrap_or(UNKNOWN))
            }
            _ => None,
        };
        if let Some(tool) = tool.filter(|_| !value.is_empty() && !value.starts_with('-')) {
            let profile = (!value.contains('$')).then(|| value.to_owned());
            found.push(Found { tool, text: format!("{key}{separator}{value}"), profile });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_profiles_of_aws_programs() {
        for (line, expected) in [
            ("aws s3 ls --profile a", "the AWS CLI|--profile a|a"),
            ("\t@npx cdk deploy --profile=\"a\" && echo done", "CDK|--profile=a|a"),
            ("NODE_ENV=x ./node_modules/.bin/sls deploy --aws-profile 'a' \\", "Serverless|--aws-profile a|a"),
            ("./deploy --aws-profile $(PROFILE)", "this command|--aws-profile $(PROFILE)|?"),
            ("aws sts x --profile ${P:-a}", "the AWS CLI|--profile ${P:-a}|?"),
            ("export AWS_PROFILE=a # x", "this command|AWS_PROFILE=a|a"),
            ("AWS_PROFILE=a sam deploy", "SAM|AWS_PROFILE=a|a"),
            ("x=$(aws sts x --profile a)", "the AWS CLI|--profile a|a"),
            ("cd infra; cargo build --profile release", ""),
            ("docker compose --profile dev up", ""),
            ("awsrole exec --profile a -- aws s3 ls", ""),
            ("aws sso login --profile a", ""),
            ("# aws s3 ls --profile a", ""),
            ("aws s3 ls --profile", ""),
            ("echo AWS_PROFILE", ""),
        ] {
            let shown = |found: Found| {
                format!("{}|{}|{}", found.tool, found.text, found.profile.unwrap_or_else(|| "?".to_owned()))
            };
            assert_eq!(settings(line).into_iter().map(shown).collect::<Vec<_>>().join(" + "), expected, "{line}");
        }
    }
}
