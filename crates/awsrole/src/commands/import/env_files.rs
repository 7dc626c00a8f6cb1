//! Variables in `.envrc`, `.env` and the `[env]` of mise.

use super::settings::{Imported, ShownLine};
use crate::commands::init::toml_string;
use crate::overrides::documents::{toml, toml_error};
use crate::overrides::variables::{Assignment, literals};

/// Words in a line that has to do with AWS.
const AWS_WORDS: [&str; 6] = ["aws", "AWS_", "granted", "assume", "saml2aws", "awsume"];

/// Reads a `.envrc`. Only literal assignments outside of conditions are used, because nothing is run.
pub(super) fn envrc(text: &str, place: &ShownLine, imported: &mut Imported) {
    let (mut depth, mut others) = (0_usize, 0);
    for (index, line) in text.lines().enumerate() {
        let (place, line) = (place.line(index + 1), line.trim());
        let was_inside = depth > 0;
        depth = nesting(line, depth);
        let all = literals(line);
        let is_aws = AWS_WORDS.iter().any(|word| line.contains(word));
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_aws {
            others += 1;
        } else if was_inside || depth > 0 {
            imported.skip(&place, "it is in a condition, a loop or a function");
        } else if all.is_empty() || all.iter().all(|one| !one.name.starts_with("AWS")) {
            imported.skip(&place, "it isn't the literal export of a variable");
        } else {
            all.iter().for_each(|one| variable(one, &place, imported));
        }
    }
    if others > 0 {
        let lines = if others == 1 { "1 line".to_owned() } else { format!("{others} lines") };
        imported.remarks.push(format!("{}: {lines} without AWS settings can stay there", place.file));
    }
}

/// Reads a `.env`.
pub(super) fn dotenv(text: &str, place: &ShownLine, imported: &mut Imported) {
    for one in literals(text).iter().filter(|one| one.name.starts_with("AWS")) {
        variable(one, &place.line(one.line), imported);
    }
}

/// Reads the `[env]` of mise.
pub(super) fn mise(text: &str, place: &ShownLine, imported: &mut Imported) {
    if let Some(line) = toml_error(text) {
        return imported.skip(&place.line(line), "the file isn't valid TOML from this line on");
    }
    for entry in toml(text) {
        let place = place.line(entry.line);
        match entry.keys().as_slice() {
            ["env", name] | ["env", name, "value"] if name.starts_with("AWS") => {
                let value = (!entry.value.contains("{{")).then(|| entry.value.clone());
                variable(&Assignment { line: entry.line, name, value }, &place, imported);
            }
            ["tasks", task, "env", name] if name.starts_with("AWS") => {
                imported.skip(&place, &format!("{name} is set for the task {task} only"));
            }
            _ => {}
        }
    }
}

/// Imports a variable, or says why not.
fn variable(assignment: &Assignment<'_>, place: &ShownLine, imported: &mut Imported) {
    let Assignment { name, value, .. } = assignment;
    let key = match *name {
        "AWS_PROFILE" | "AWS_DEFAULT_PROFILE" | "AWSUME_PROFILE" => "profile",
        "AWS_REGION" | "AWS_DEFAULT_REGION" => "region",
        "AWS_ROLE_SESSION_NAME" => "role_session_name",
        "AWS_MFA_SERIAL" => "mfa_serial",
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => {
            imported.remarks.push(format!("{place} holds an access key: run `awsrole keys add`, then remove the line"));
            return;
        }
        "AWS_SESSION_TOKEN" | "AWS_SECURITY_TOKEN" => {
            imported.remarks.push(format!("{place} holds a session token: remove the line"));
            return;
        }
        name => return imported.skip(place, &format!("{name}: {}", reason(name))),
    };
    match value.as_deref() {
        None => imported.skip(place, &format!("the value of {name} is known only when a program runs")),
        Some("") => imported.skip(place, &format!("{name} is empty")),
        Some(value) => imported.set(key, toml_string(value), place),
    }
}

/// Returns why a project file has no such setting.
fn reason(name: &str) -> &'static str {
    match name {
        "AWS_ROLE_ARN" | "AWS_WEB_IDENTITY_TOKEN_FILE" => {
            "set role_arn and web_identity_token_file in a profile of ~/.aws/config"
        }
        "AWS_CONFIG_FILE" | "AWS_SHARED_CREDENTIALS_FILE" | "AWS_CA_BUNDLE" => {
            "a project file cannot select other files"
        }
        _ if name.starts_with("AWS_ENDPOINT_URL") => "set endpoint_url in a profile of ~/.aws/config",
        _ if name.ends_with("_TTL") => "set duration_seconds in the project file",
        _ if name.starts_with("AWS_VAULT") => "only aws-vault reads it",
        "AWS_SDK_LOAD_CONFIG" | "AWS_CREDENTIAL_EXPIRATION" => "it isn't needed",
        _ => "awsrole has no such setting",
    }
}

/// Returns how deep the line after this one is in conditions, loops and functions.
fn nesting(line: &str, depth: usize) -> usize {
    let commands = line.split(';').map(str::trim);
    commands.fold(depth, |depth, command| {
        let first = command.split_whitespace().next().unwrap_or_default();
        match first {
            "if" | "case" | "for" | "while" | "until" | "select" => depth + 1,
            "fi" | "esac" | "done" | "}" | ")" => depth.saturating_sub(1),
            _ if command.ends_with('{') => depth + 1,
            _ => depth,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(text: &str) -> (String, Vec<String>) {
        let mut imported = Imported::default();
        envrc(text, &ShownLine { file: ".envrc".into(), line: 0 }, &mut imported);
        (imported.text().unwrap_or_default(), imported.remarks)
    }

    #[test]
    fn only_literals_outside_of_conditions_are_used() {
        let (text, remarks) = imported(
            "use nix\nexport AWS_PROFILE=dev AWS_REGION='eu-west-1'\nif [ -n \"$CI\" ]; then\n  export AWS_PROFILE=ci\nfi\n\
             f() {\n  export AWS_REGION=x\n}\nexport AWS_PROFILE=$(x)\nexport AWS_DEFAULT_REGION=eu_west\n\
             eval \"$(aws-vault export dev)\"\nfor x in y; do export AWS_PROFILE=z; done\nAWS_VAULT=x\nexport AWS_PROFILE=last\n",
        );
        assert!(text.ends_with("profile = \"last\"  # .envrc:14\nregion = \"eu-west-1\"  # .envrc:2\n"), "{text}");
        let places = ["4", "7", "9", "10", "11", "12", "13", "2"].map(|line| format!("skipped .envrc:{line}: "));
        assert_eq!(remarks.len(), places.len() + 1, "{remarks:#?}");
        for (remark, place) in remarks.iter().zip(places) {
            assert!(remark.starts_with(&place), "{remark} {place}");
        }
        assert!(remarks[8].ends_with("5 lines without AWS settings can stay there"), "{remarks:#?}");
    }

    #[test]
    fn secrets_are_never_part_of_a_remark() {
        let (text, remarks) = imported(
            "export AWS_ACCESS_KEY_ID=AKIACANARY\nexport AWS_SECRET_ACCESS_KEY=canary AWS_SESSION_TOKEN=canary\nAWS_X=canary\n",
        );
        assert!(text.is_empty() && remarks.len() == 4 && !remarks.concat().contains("canary"), "{remarks:#?}");
        assert!(remarks[0].starts_with(".envrc:1 holds an access key: run `awsrole keys add`"), "{remarks:#?}");
    }
}
