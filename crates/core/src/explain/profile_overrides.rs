//! Finds project files that select an AWS profile, which takes precedence over exported credentials.
//!
//! A `profile` in samconfig.toml, serverless.yml, cdk.json or a Terraform provider or backend takes precedence over the
//! credentials in the environment, without any message from the tool.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::files::read_regular;

/// The largest file that is searched, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A line that selects another identity.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProfileOverride {
    /// The path of the file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The text of the line, without surrounding white space.
    pub text: String,
}

/// Searches the files that the tools read in the given directories. Subdirectories aren't searched.
#[must_use]
pub fn find_profile_overrides(dirs: &[&Path]) -> Vec<ProfileOverride> {
    let mut found = Vec::new();
    for dir in dirs {
        let mut files: Vec<PathBuf> =
            fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            if let Some(key) = file.file_name().and_then(|name| name.to_str()).and_then(keys_of) {
                found.extend(scan(&file, key));
            }
        }
    }
    found
}

/// Returns the keys that select an identity in a file of this name, or `None` for files that aren't searched.
fn keys_of(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "samconfig.toml" | "samconfig.yaml" | "samconfig.yml" | "cdk.json" => Some(&["profile"]),
        "serverless.yml" | "serverless.yaml" => Some(&["profile"]),
        _ if name.ends_with(".tf") => {
            Some(&["profile", "access_key", "shared_credentials_file", "shared_credentials_files"])
        }
        _ => None,
    }
}

fn scan(file: &Path, keys: &[&str]) -> Vec<ProfileOverride> {
    let bytes = read_regular(file, MAX_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut inside_comment = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        inside_comment |= trimmed.starts_with("/*");
        let comment = inside_comment || trimmed.starts_with(['#', ';']) || trimmed.starts_with("//");
        inside_comment &= !trimmed.contains("*/");
        if !comment && keys.iter().any(|key| sets(trimmed, key)) {
            found.push(ProfileOverride { file: file.to_owned(), line: index + 1, text: trimmed.to_owned() });
        }
    }
    found
}

/// Returns whether a line sets a key: `profile = "x"`, `profile: x`, `"profile": "x"`.
fn sets(line: &str, key: &str) -> bool {
    let rest = line.strip_prefix('"').unwrap_or(line);
    let Some(rest) = rest.strip_prefix(key) else { return false };
    let rest = rest.strip_prefix('"').unwrap_or(rest).trim_start();
    rest.strip_prefix(['=', ':']).is_some_and(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::write_private;

    #[test]
    fn finds_settings_that_override_the_environment() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        for (name, text) in [
            ("samconfig.toml", "[default.deploy.parameters]\nprofile = \"other\"\n# profile = \"no\"\n"),
            ("serverless.yml", "provider:\n  name: aws\n  profile: other\n"),
            ("main.tf", "provider \"aws\" {\n  profile = var.p\n  /* profile = \"no\"\n  */\n  profiles = 1\n}\n"),
            ("cdk.json", "{\n  \"profile\": \"other\"\n}\n"),
            ("notes.md", "profile = \"no\"\n"),
        ] {
            write_private(&dir.join(name), text.as_bytes()).unwrap();
        }
        let lines: Vec<String> = find_profile_overrides(&[dir])
            .iter()
            .map(|r| format!("{}:{} {}", r.file.file_name().unwrap().display(), r.line, r.text))
            .collect();
        assert_eq!(
            lines,
            [
                "cdk.json:2 \"profile\": \"other\"",
                "main.tf:2 profile = var.p",
                "samconfig.toml:2 profile = \"other\"",
                "serverless.yml:3 profile: other"
            ]
        );
    }
}
