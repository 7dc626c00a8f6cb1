//! Reads the settings of one file, by its kind.

use std::path::Path;

use awsrole_core::base::files::read_regular;

use super::Setting;
use super::command_lines;
use super::documents::{Scalar, toml, yaml};
use super::files::FileKind;
use super::kubeconfig;
use super::terraform::{Terraform, selects_identity};
use super::variables::{assignments, selects};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The number of lines of a script that are read.
const MAX_LINES: usize = 10_000;

/// Returns the text of a regular file, or nothing if it can't be read.
pub(super) fn text(file: &Path) -> String {
    String::from_utf8_lossy(&read_regular(file, MAX_BYTES).unwrap_or_default()).into_owned()
}

/// Returns the settings of a file that select an identity.
pub(super) fn settings(file: &Path, kind: FileKind, terraform: &mut Terraform) -> Vec<Setting> {
    let text = text(file);
    let setting = |tool, line, text: String, profile| Setting { file: file.to_owned(), line, tool, text, profile };
    let of_entries = |tool, entries: Vec<Scalar>, separator: &str, is_setting: fn(&[&str]) -> bool| {
        let settings = entries.into_iter().filter(|entry| is_setting(&entry.keys()));
        let settings = settings.filter(|entry| !matches!(entry.value.as_str(), "" | "null" | "~"));
        let shown = settings.map(|entry| {
            let key = entry.keys().into_iter().rfind(|key| *key != "value").unwrap_or_default().to_owned();
            let is_secret = matches!(key.as_str(), "access_key" | "AWS_ACCESS_KEY_ID");
            let is_name = key == "profile" || key.ends_with("_PROFILE");
            let text = if is_secret { key.clone() } else { format!("{key}{separator}{}", entry.value) };
            // Values such as `${opt:profile}` and `{{ env.X }}` are computed by the tool.
            let known = is_name && !entry.value.contains("${") && !entry.value.contains("{{");
            setting(tool, entry.line, text, known.then_some(entry.value))
        });
        shown.collect::<Vec<_>>()
    };
    let of_sam: fn(&[&str]) -> bool = |keys| matches!(keys, [_, _, "parameters", "profile"]);
    match kind {
        FileKind::SamToml => of_entries("SAM", toml(&text), " = ", of_sam),
        FileKind::SamYaml => of_entries("SAM", yaml(&text), ": ", of_sam),
        FileKind::Serverless => of_entries("Serverless", yaml(&text), ": ", |keys| keys == ["provider", "profile"]),
        FileKind::Cdk => of_entries("CDK", yaml(&text), ": ", |keys| keys == ["profile"]),
        FileKind::Mise => of_entries("commands under mise", toml(&text), " = ", |keys| match keys {
            ["env", name] | ["env", name, "value"] | ["tasks", _, "env", name] => selects(name),
            _ => false,
        }),
        FileKind::TerraformJson => {
            of_entries("Terraform", yaml(&text), ": ", |keys| selects_identity(keys, FileKind::TerraformJson))
        }
        FileKind::Terraform | FileKind::Backend | FileKind::Terragrunt => terraform.settings(file, &text, kind),
        FileKind::Dotenv | FileKind::Direnv => {
            let tool = if kind == FileKind::Direnv { "commands under direnv" } else { "programs that load this file" };
            let shown = |name: &str, value: &Option<String>| match value {
                Some(value) if name.ends_with("_PROFILE") => format!("{name}={value}"),
                _ => name.to_owned(),
            };
            let found = assignments(&text).into_iter();
            let found = found.map(|(line, name, value)| {
                let text = shown(name, &value);
                setting(tool, line, text, value.filter(|_| name.ends_with("_PROFILE")))
            });
            found.collect()
        }
        FileKind::Kubeconfig => {
            let found = kubeconfig::profiles(&yaml(&text)).into_iter();
            found.map(|(line, text, name)| setting("kubectl", line, text, Some(name))).collect()
        }
        FileKind::PackageJson => {
            let scripts = yaml(&text).into_iter().filter(|entry| matches!(entry.keys().as_slice(), ["scripts", _]));
            let found = scripts.flat_map(|entry| {
                command_lines::settings(&entry.value).into_iter().map(move |found| (entry.line, found))
            });
            found.map(|(line, found)| setting(found.tool, line, found.text, found.profile)).collect()
        }
        FileKind::Script => {
            let lines = text.lines().enumerate().take(MAX_LINES);
            let found = lines.flat_map(|(index, line)| {
                command_lines::settings(line).into_iter().map(move |found| (index + 1, found))
            });
            found.map(|(line, found)| setting(found.tool, line, found.text, found.profile)).collect()
        }
        FileKind::TerraformVariables | FileKind::TerraformVariablesJson => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use awsrole_core::base::files::write_private;

    fn found(name: &str, content: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        write_private(&file, content.as_bytes()).unwrap();
        let settings = settings(&file, FileKind::of(&file).unwrap(), &mut Terraform::of(Vec::new(), BTreeMap::new()));
        let shown =
            |one: Setting| format!("{} {}:{} {}", one.tool, one.line, one.text, one.profile.unwrap_or("?".into()));
        settings.into_iter().map(shown).collect()
    }

    #[test]
    fn each_tool_has_its_places() {
        for (name, content, expected) in [
            (
                "samconfig.toml",
                "version = 0.1\n[default.deploy.parameters]\nprofile = 'a'\n[default.x]\nprofile = 'no'\n# profile = 'no'\n",
                "SAM 3:profile = a a",
            ),
            ("samconfig.yaml", "default:\n  global:\n    parameters:\n      profile: a\n", "SAM 4:profile: a a"),
            (
                "serverless.yml",
                "service: s\nprovider:\n  name: aws\n  profile: ${opt:p, 'a'}\ncustom:\n  profile: no\n",
                "Serverless 4:profile: ${opt:p, 'a'} ?",
            ),
            ("serverless.json", "{\"provider\": {\n\"profile\": \"a\"}}", "Serverless 2:profile: a a"),
            (
                "cdk.json",
                "{\n\t\"app\": \"x\",\n\t\"profile\": \"a\",\n\t\"context\": {\"profile\": \"no\"}\n}",
                "CDK 3:profile: a a",
            ),
            ("mise.toml", "[env]\nAWS_PROFILE = 'a'\nX = 'no'\n", "commands under mise 2:AWS_PROFILE = a a"),
            (
                ".mise.toml",
                "[tasks.t.env]\nAWS_PROFILE = '{{env.X}}'\n",
                "commands under mise 2:AWS_PROFILE = {{env.X}} ?",
            ),
            ("mise.toml", "env = { AWS_PROFILE = { value = 'a' } }\n", "commands under mise 1:AWS_PROFILE = a a"),
            (
                ".env",
                "AWS_ACCESS_KEY_ID=AKIA\nAWS_SECRET_ACCESS_KEY=x\n",
                "programs that load this file 1:AWS_ACCESS_KEY_ID ?",
            ),
            (
                "package.json",
                "{\"profile\": \"no\",\n\"scripts\": {\"d\": \"cdk deploy --profile a\"}}",
                "CDK 2:--profile a a",
            ),
            ("Makefile", "deploy:\n\taws s3 ls --profile $(P)\n", "the AWS CLI 2:--profile $(P) ?"),
            ("deploy.sh", "#!/bin/sh\nAWS_PROFILE=a aws s3 ls\n", "the AWS CLI 2:AWS_PROFILE=a a"),
            (".envrc", "use x\nexport AWS_PROFILE=a\n", "commands under direnv 2:AWS_PROFILE=a a"),
        ] {
            assert_eq!(found(name, content), [expected], "{name}");
        }
        assert_eq!(found("cdk.json", "{\"profile\": \"\"}"), [""; 0]);
        assert_eq!(found("serverless.yml", "provider: aws\n"), [""; 0]);
    }
}
