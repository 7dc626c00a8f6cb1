//! An entry of the history, and its line.

use serde::{Deserialize, Serialize};

use crate::aws::arn::AccountId;
use crate::aws::time::rfc3339;
use crate::base::context::Context;
use crate::plan::role_plan::RolePlan;
use crate::session::lookup::Obtained;
use crate::settings::accounts::Accounts;

/// The maximum length of a line in bytes, including its newline.
const MAX_LINE_BYTES: usize = 4096;

/// What the role was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    /// A shell: on `cd`, at its first prompt, or after a change.
    Assumed,
    /// A renewal before expiration.
    Renewed,
    /// A command of `awsrole exec`.
    Exec,
    /// A command of `awsrole sudo`.
    Sudo,
    /// The output of `awsrole env`.
    Env,
    /// The console in a browser.
    Console,
    /// An SDK that requested credentials through `credential_process`.
    CredentialProcess,
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The time in RFC 3339, in whole seconds.
    pub at: String,
    /// What the role was used for.
    pub what: Recipient,
    /// Whether the session was fetched. Otherwise it was cached.
    pub new: bool,
    /// The working directory.
    pub directory: String,
    /// The profile that the user selected, instead of the directory's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The role's display name.
    pub role: String,
    /// The role's ARN. `None` for a session of the source itself.
    pub role_arn: Option<String>,
    /// The account, if it is known.
    pub account: Option<String>,
    /// The source of the initial credentials.
    pub source: String,
    /// The access key ID, which CloudTrail records with each call. It isn't a secret.
    pub key: String,
    /// The expiration of the session.
    pub expires: Option<String>,
    /// The process ID of the shell that received it, in entries of shells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<u32>,
    /// The AI agent that received it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// An entry with the user's present name for its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The entry.
    #[serde(flatten)]
    pub entry: HistoryEntry,
    /// The account's name, if it has one.
    pub account_name: Option<String>,
}

impl HistoryEntry {
    /// Creates an entry for credentials that were obtained in the context's directory.
    #[must_use]
    pub fn of(what: Recipient, context: &Context, plan: &RolePlan, obtained: &Obtained) -> Self {
        let credentials = &obtained.credentials;
        Self {
            at: rfc3339(context.now),
            what,
            new: obtained.fresh,
            directory: context.dir.to_string_lossy().into_owned(),
            profile: None,
            role: plan.title(),
            role_arn: plan.role_arn().map(ToString::to_string),
            account: credentials.account().or_else(|| plan.account()).map(|account| account.to_string()),
            source: plan.source.to_string(),
            key: credentials.access_key_id.clone(),
            expires: credentials.expiration.map(rfc3339),
            shell: None,
            agent: plan.agent.as_ref().map(|agent| agent.name().to_owned()),
        }
    }

    /// Returns whether a shell received the same session in the same directory before.
    pub(super) fn is_same_entry(&self, earlier: &Self) -> bool {
        let of = |entry: &Self| (entry.what, entry.directory.clone(), entry.role.clone(), entry.key.clone());
        !self.new && of(self) == of(earlier)
    }

    /// Adds the user's name for the account.
    #[must_use]
    pub fn named(self, accounts: &Accounts) -> Named {
        let id = self.account.as_deref().and_then(|id| AccountId::parse(id).ok());
        Named { account_name: id.and_then(|id| accounts.name(&id).map(str::to_owned)), entry: self }
    }

    /// Returns the line: a newline and JSON. The leading newline separates it from a line that was truncated by a full
    /// disk. The beginning of a text that is too long is cut off.
    pub(super) fn line(&self) -> Vec<u8> {
        for most in [usize::MAX, 1000, 250, 60] {
            let mut entry = self.clone();
            let texts = [&mut entry.directory, &mut entry.role, &mut entry.source, &mut entry.key];
            for text in texts.into_iter().chain(entry.role_arn.as_mut()).chain(entry.profile.as_mut()) {
                shorten(text, most);
            }
            let line = serde_json::to_string(&entry).unwrap_or_default();
            if line.len() < MAX_LINE_BYTES {
                return format!("\n{line}").into_bytes();
            }
        }
        Vec::new()
    }
}

fn shorten(text: &mut String, most: usize) {
    let count = text.chars().count();
    if count > most {
        *text = std::iter::once('…').chain(text.chars().skip(count - most)).collect();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::session::history) fn entry(directory: &str) -> HistoryEntry {
        HistoryEntry {
            at: "2030-01-31T12:00:00Z".into(),
            what: Recipient::Assumed,
            new: true,
            directory: directory.into(),
            profile: None,
            role: "Deploy".into(),
            role_arn: Some("arn:aws:iam::222222222222:role/Deploy".into()),
            account: Some("222222222222".into()),
            source: "profile jump".into(),
            key: "ASIAEXAMPLEEXAMPLE00".into(),
            expires: None,
            shell: None,
            agent: None,
        }
    }

    #[test]
    fn limits_the_length_of_lines() {
        for text in ["/deep".repeat(1000), "\u{1b}".repeat(5000), "ü".repeat(3000), "\u{1f600}".repeat(4096)] {
            let mut long = entry(&text);
            (long.source, long.role) = (text.clone(), text.clone());
            let line = long.line();
            assert!((100..=MAX_LINE_BYTES).contains(&line.len()), "{}", line.len());
            let read: HistoryEntry = serde_json::from_slice(&line).unwrap();
            assert!(read.directory.starts_with('…') && text.ends_with(read.directory.trim_start_matches('…')));
        }
    }
}
