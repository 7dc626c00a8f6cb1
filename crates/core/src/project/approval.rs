//! Decides whether the user has allowed a project file.

use std::path::{Path, PathBuf};

use crate::aws::arn::AccountId;
use crate::base::problem::Problem;
use crate::project::config::Config;
use crate::settings::user_config::UserConfig;
use approvals::Folder;
use chain::{End, Reading};

pub use approvals::Approvals;
pub use chain::{Chain, Changed, FileChange};
pub use elsewhere::InMain;
pub use refusal::{Refusal, denied_base, untrusted_approvals};

mod approvals;
mod chain;
mod elsewhere;
mod refusal;
mod rules;

/// The user's decision about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// This content at this path is allowed, together with that of the files from which it inherits.
    Allowed,
    /// A rule in the user's settings allows it for roles of these accounts.
    AllowedFor(Vec<AccountId>),
    /// Other content was allowed at this path, or other files from which it inherits.
    Edited,
    /// The path was denied, regardless of its content.
    Denied,
    /// No decision is recorded.
    Unknown,
}

/// A config that the user has allowed. Only this type can become a plan. It is parsed from the same bytes that were
/// hashed.
pub struct Allowed {
    config: Box<Config>,
    only_accounts: Option<Vec<AccountId>>,
    main_worktree: Option<PathBuf>,
}

impl Allowed {
    /// Returns the config, including what it inherits.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the accounts of the rules, if only rules allow the config.
    #[must_use]
    pub fn only_accounts(&self) -> Option<&[AccountId]> {
        self.only_accounts.as_deref()
    }

    /// Returns the main worktree in which the same files are allowed, if only that approval allows the config of a
    /// linked git worktree.
    #[must_use]
    pub fn main_worktree(&self) -> Option<&Path> {
        self.main_worktree.as_deref()
    }
}

/// The result of evaluating a directory's files.
pub enum Verdict {
    /// All files that apply are allowed.
    Allowed(Box<Allowed>),
    /// One of them isn't allowed.
    Refused(Refusal),
    /// One of them can't be read or parsed.
    Broken {
        /// The error.
        problem: Problem,
        /// The user's earlier decision about the path.
        status: ApprovalStatus,
    },
}

/// The state of a shell in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellState {
    /// The file's role, or no credentials if the role can't be assumed.
    Role,
    /// The environment without awsrole.
    Outer,
    /// No credentials.
    Blocked,
}

impl Verdict {
    /// Returns a verdict that no file applies, for a reason outside of the files.
    #[must_use]
    pub fn set_aside(self, problem: Problem) -> Self {
        let status = match self {
            // A file would apply otherwise, so the user doesn't expect the outer environment.
            Self::Allowed(_) => ApprovalStatus::Edited,
            Self::Refused(Refusal { status, .. }) | Self::Broken { status, .. } => status,
        };
        Self::Broken { problem, status }
    }

    fn allowed(
        config: Option<Box<Config>>,
        only_accounts: Option<Vec<AccountId>>,
        main_worktree: Option<PathBuf>,
    ) -> Self {
        Self::Allowed(Box::new(Allowed { config: config.unwrap_or_default(), only_accounts, main_worktree }))
    }

    /// Returns whether a shell prints nothing about a verdict on a directory's files, of which `depth` were read: a
    /// denied file, unless it blocks the shell.
    #[must_use]
    pub fn is_silent(&self, depth: usize) -> bool {
        let is_denied = matches!(
            self,
            Self::Refused(Refusal { status: ApprovalStatus::Denied, .. })
                | Self::Broken { status: ApprovalStatus::Denied, .. }
        );
        is_denied && self.holds(depth) == ShellState::Outer
    }

    /// Returns the shell state for a verdict on a directory's files, of which `depth` were read.
    ///
    /// Unknown and denied files leave the environment unchanged. If a previously approved file was edited, or an inner
    /// file inherits this one, the shell gets no credentials, because the user expects the project's role.
    #[must_use]
    pub fn holds(&self, depth: usize) -> ShellState {
        match self {
            Self::Allowed(_) => ShellState::Role,
            Self::Refused(Refusal { status: ApprovalStatus::Denied | ApprovalStatus::Unknown, .. })
            | Self::Broken { status: ApprovalStatus::Denied | ApprovalStatus::Unknown, .. }
                if depth <= 1 =>
            {
                ShellState::Outer
            }
            _ => ShellState::Blocked,
        }
    }
}

/// Evaluates the files of a directory, nearest first. Also returns how many of them the shell must compare: one more
/// than exist if a new file above them would apply, too.
///
/// The nearest file and those from which it inherits are allowed together. An approval is for these files in this order
/// with this content, and for no file above the last one. So if a base file is edited, removed or inserted, the nearest
/// file needs a new approval, whether or not the base itself is allowed. A `[[trust]]` rule may allow any of them
/// instead. The files above it then need an approval or a rule of their own. If a base file was denied, no file that
/// inherits from it applies.
///
/// In a linked git worktree, the approval of the main worktree is as good as one of the same files in the worktree.
#[must_use]
pub fn evaluate_files(paths: &[PathBuf], approvals: &Approvals, user: &UserConfig) -> (Verdict, usize) {
    evaluate_files_and_keep_texts(paths, approvals, user, &mut Vec::new())
}

/// Evaluates files as [`evaluate_files`] does. Appends the contents of the files that were read, nearest first, to
/// `texts`.
pub fn evaluate_files_and_keep_texts(
    paths: &[PathBuf],
    approvals: &Approvals,
    user: &UserConfig,
    texts: &mut Vec<String>,
) -> (Verdict, usize) {
    let Some(nearest) = paths.first() else {
        let problem = Problem::new("there is no .awsrole.toml here");
        return (Verdict::Broken { problem, status: ApprovalStatus::Unknown }, 0);
    };
    if let Some(untrusted) = approvals.untrusted() {
        // If another user owns the approvals, this user never approved the file. If others may only have changed this
        // user's own approvals, the user may expect a role instead of the outer environment.
        let known = !untrusted.is_foreign() && approvals.has_records(nearest);
        let status = if known { ApprovalStatus::Edited } else { ApprovalStatus::Unknown };
        let untrusted = Some((approvals.data().to_owned(), untrusted.clone()));
        return (Verdict::Refused(Refusal { untrusted, ..Refusal::of(nearest, status, nearest) }), 1);
    }
    let reading = Reading::of(paths);
    texts.extend(reading.files.iter().map(|file| file.text.clone()));
    let folders: Vec<_> = reading.files.iter().map(|file| approvals.trusted_folder(&file.place)).collect();
    let files = &reading.files;
    let denied = |at: usize| folders[at].as_ref().is_some_and(Folder::is_denied);
    let refused = |at: usize, status| Verdict::Refused(Refusal::of(&files[at].path, status, nearest));
    if files.is_empty() {
        let problem = reading.end.problem().unwrap_or_else(|| Problem::new("there is no .awsrole.toml here"));
        return (Verdict::Broken { problem, status: approvals.status_of_path(nearest) }, 1);
    }
    if denied(0) {
        return (refused(0, ApprovalStatus::Denied), 1);
    }
    let denied_base = (1..files.len()).find(|at| denied(*at)).map(|at| (refused(at, ApprovalStatus::Denied), at + 1));
    let open = matches!(reading.end, End::Open);
    let whole = files.len() + usize::from(open);
    let allows = |at: usize| folders[at].as_ref().is_some_and(|folder| folder.allows(&files[at..], open));
    let status = |at: usize| folders[at].as_ref().map_or(ApprovalStatus::Unknown, Folder::status);
    let rule = |at: usize| rules::accounts(&files[at], &user.trust);
    let own = allows(0);
    let main = if own { None } else { approvals.allowed_in_main(files, open) };
    if own || main.is_some() {
        return match (denied_base, reading.end) {
            (Some(denied), _) => denied,
            // It was allowed, so an earlier version could parse it.
            (None, End::Broken(problem)) => (Verdict::Broken { problem, status: ApprovalStatus::Allowed }, whole),
            (None, _) => (Verdict::allowed(reading.config, None, main), whole),
        };
    }
    let mut only = match rule(0) {
        Ok(accounts) => accounts,
        Err(problem) => return (Verdict::Broken { problem, status: status(0) }, 1),
    };
    let allowed_by_rule = !only.is_empty();
    if !allowed_by_rule && status(0) == ApprovalStatus::Unknown {
        return (refused(0, ApprovalStatus::Unknown), 1);
    }
    if let Some(denied) = denied_base {
        return denied;
    }
    match reading.end {
        End::Broken(problem) if reading.parsed > 0 => {
            return (Verdict::Broken { problem, status: ApprovalStatus::Edited }, reading.parsed + 1);
        }
        End::Broken(problem) if allowed_by_rule => {
            return (Verdict::Broken { problem, status: ApprovalStatus::AllowedFor(only) }, 1);
        }
        _ => {}
    }
    if !allowed_by_rule {
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
            Ok(accounts) if accounts.is_empty() => return (refused(at, status(at)), whole),
            Ok(accounts) => only.retain(|account| accounts.contains(account)),
            Err(problem) => return (Verdict::Broken { problem, status: status(at) }, whole),
        }
    }
    (Verdict::allowed(reading.config, Some(only), None), whole)
}

#[cfg(test)]
mod tests;
