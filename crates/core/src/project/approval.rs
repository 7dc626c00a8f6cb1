//! Has the user allowed this file?

use std::path::PathBuf;

use crate::aws::arn::AccountId;
use crate::base::problem::Problem;
use crate::project::config::Config;
use crate::settings::user_config::UserConfig;
use approvals::Folder;
use chain::{End, Reading};

pub use approvals::Approvals;
pub use chain::{Chain, Changed, FileChange};
pub use refusal::{Refusal, denied_base, untrusted_approvals};

mod approvals;
mod chain;
mod refusal;
mod rules;

/// What the user has said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// This content at this path was allowed, with that of the files from which it inherits.
    Allowed,
    /// A rule in the user's config allows it, for roles of these accounts.
    AllowedFor(Vec<AccountId>),
    /// Another content was allowed at this path, or other files from which it inherits.
    Edited,
    /// The path was denied, whatever it contains.
    Denied,
    /// Nothing.
    Unknown,
}

/// A config that the user has allowed: only this can become a plan. It is made of the very bytes
/// that were hashed.
pub struct Allowed {
    config: Config,
    only_accounts: Option<Vec<AccountId>>,
}

impl Allowed {
    /// The config, with what it inherits.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// If only a rule allows it: the accounts for which it does.
    #[must_use]
    pub fn only_accounts(&self) -> Option<&[AccountId]> {
        self.only_accounts.as_deref()
    }
}

/// What came of looking at a directory's files.
pub enum Verdict {
    /// All that count are allowed.
    Allowed(Box<Allowed>),
    /// One of them isn't.
    Refused(Refusal),
    /// One of them can't be read or parsed.
    Broken {
        /// What is wrong.
        problem: Problem,
        /// What the user had said of the path.
        standing: ApprovalStatus,
    },
}

/// What a shell holds in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The file's role, or nobody's identity if that can't be had.
    Role,
    /// The environment without awsrole.
    Outer,
    /// Nobody's identity.
    Blocked,
}

impl Verdict {
    /// Returns that no file is in force, for a reason outside of the files.
    #[must_use]
    pub fn set_aside(self, problem: Problem) -> Self {
        let standing = match self {
            // Something would be in force: the outer identity isn't what the user expects.
            Self::Allowed(_) => ApprovalStatus::Edited,
            Self::Refused(Refusal { standing, .. }) | Self::Broken { standing, .. } => standing,
        };
        Self::Broken { problem, standing }
    }

    fn allowed(config: Option<Config>, only_accounts: Option<Vec<AccountId>>) -> Self {
        Self::Allowed(Box::new(Allowed { config: config.unwrap_or_default(), only_accounts }))
    }

    /// What follows of a verdict on a directory's files, of which `depth` were looked at. A cloned file takes nobody's
    /// identity away, nor does one that was denied. But where something was in force (the file before its edit, or the
    /// nearer one that inherits this), the outer identity is none that the user would expect.
    #[must_use]
    pub fn holds(&self, depth: usize) -> Holds {
        match self {
            Self::Allowed(_) => Holds::Role,
            Self::Refused(Refusal { standing: ApprovalStatus::Denied | ApprovalStatus::Unknown, .. })
            | Self::Broken { standing: ApprovalStatus::Denied | ApprovalStatus::Unknown, .. }
                if depth <= 1 =>
            {
                Holds::Outer
            }
            _ => Holds::Blocked,
        }
    }
}

/// Decides on the files of a directory, nearest first. Also returns how many of them the shell must compare; one more
/// than there are if a file that appears above them would count, too.
///
/// The nearest file and those from which it inherits are allowed together: an approval is for these files in this
/// order with this content, and for none above the last. So if a base is edited, removed or inserted, the nearest
/// file needs a new approval, whether or not the base itself is allowed. A `[[trust]]` rule may allow any of them
/// instead; then those above it need an approval or a rule of their own. A base that was denied keeps all from being
/// in force that inherit from it.
#[must_use]
pub fn vet(paths: &[PathBuf], approvals: &Approvals, user: &UserConfig) -> (Verdict, usize) {
    vet_and_keep(paths, approvals, user, &mut Vec::new())
}

/// Looks at files as [`vet`] does, and adds the contents of those that it could read, nearest first, to `texts`.
pub fn vet_and_keep(
    paths: &[PathBuf],
    approvals: &Approvals,
    user: &UserConfig,
    texts: &mut Vec<String>,
) -> (Verdict, usize) {
    let Some(nearest) = paths.first() else {
        let problem = Problem::new("there is no .awsrole.toml here");
        return (Verdict::Broken { problem, standing: ApprovalStatus::Unknown }, 0);
    };
    if let Some(untrusted) = approvals.untrusted() {
        // Another user's approvals aren't this user's. But where others may have changed this user's own ones, a role
        // may be in force, and the outer identity isn't what the user expects.
        let known = !untrusted.is_foreign() && approvals.has_records(nearest);
        let standing = if known { ApprovalStatus::Edited } else { ApprovalStatus::Unknown };
        let untrusted = Some((approvals.data().to_owned(), untrusted.clone()));
        return (Verdict::Refused(Refusal { untrusted, ..Refusal::of(nearest, standing, nearest) }), 1);
    }
    let reading = Reading::of(paths);
    texts.extend(reading.files.iter().map(|file| file.text.clone()));
    let folders: Vec<_> = reading.files.iter().map(|file| approvals.trusted_folder(&file.place)).collect();
    let files = &reading.files;
    let denied = |at: usize| folders[at].as_ref().is_some_and(Folder::is_denied);
    let refused = |at: usize, standing| Verdict::Refused(Refusal::of(&files[at].path, standing, nearest));
    if files.is_empty() {
        let problem = reading.end.problem().unwrap_or_else(|| Problem::new("there is no .awsrole.toml here"));
        return (Verdict::Broken { problem, standing: approvals.standing_of_path(nearest) }, 1);
    }
    if denied(0) {
        return (refused(0, ApprovalStatus::Denied), 1);
    }
    let denied_base = (1..files.len()).find(|at| denied(*at)).map(|at| (refused(at, ApprovalStatus::Denied), at + 1));
    let open = matches!(reading.end, End::Open);
    let whole = files.len() + usize::from(open);
    let allows = |at: usize| folders[at].as_ref().is_some_and(|folder| folder.allows(&files[at..], open));
    let standing = |at: usize| folders[at].as_ref().map_or(ApprovalStatus::Unknown, Folder::standing);
    let rule = |at: usize| rules::accounts(&files[at], &user.trust);
    if allows(0) {
        return match (denied_base, reading.end) {
            (Some(denied), _) => denied,
            // It was allowed when more was understood.
            (None, End::Broken(problem)) => (Verdict::Broken { problem, standing: ApprovalStatus::Allowed }, whole),
            (None, _) => (Verdict::allowed(reading.config, None), whole),
        };
    }
    let mut only = match rule(0) {
        Ok(accounts) => accounts,
        Err(problem) => return (Verdict::Broken { problem, standing: standing(0) }, 1),
    };
    let ruled = !only.is_empty();
    if !ruled && standing(0) == ApprovalStatus::Unknown {
        return (refused(0, ApprovalStatus::Unknown), 1);
    }
    if let Some(denied) = denied_base {
        return denied;
    }
    match reading.end {
        End::Broken(problem) if reading.parsed > 0 => {
            return (Verdict::Broken { problem, standing: ApprovalStatus::Edited }, reading.parsed + 1);
        }
        End::Broken(problem) if ruled => {
            return (Verdict::Broken { problem, standing: ApprovalStatus::AllowedFor(only) }, 1);
        }
        _ => {}
    }
    if !ruled {
        let change = approvals.changes_of(files).into_iter().next();
        let path = change.as_ref().map_or(nearest, |change| &change.path);
        let refusal = Refusal { path: path.clone(), ..Refusal::of(nearest, ApprovalStatus::Edited, nearest) };
        return (Verdict::Refused(Refusal { change, ..refusal }), whole);
    }
    for at in 1..files.len() {
        if allows(at) {
            break;
        }
        match rule(at) {
            Ok(accounts) if accounts.is_empty() => return (refused(at, standing(at)), whole),
            Ok(accounts) => only.retain(|account| accounts.contains(account)),
            Err(problem) => return (Verdict::Broken { problem, standing: standing(at) }, whole),
        }
    }
    (Verdict::allowed(reading.config, Some(only)), whole)
}

#[cfg(test)]
mod tests;
