//! The reasons why files don't apply.

use std::path::{Path, PathBuf};

use super::ApprovalStatus;
use super::chain::{Changed, FileChange};
use crate::base::context::Context;
use crate::base::files::trusted::{Distrust, Untrusted};
use crate::base::problem::Problem;

/// A file that prevents a directory's role from being used.
#[derive(Debug)]
pub struct Refusal {
    /// The path of the file.
    pub path: PathBuf,
    /// The user's decision about it and the files from which it inherits.
    pub status: ApprovalStatus,
    /// The directory's nearest file: this file, or one that inherits from it.
    pub nearest: PathBuf,
    /// The change since it was allowed, if that is known.
    pub change: Option<FileChange>,
    /// Set if approvals can't be trusted: awsrole's data directory, and the component of its path that another user
    /// controls.
    pub untrusted: Option<(PathBuf, Untrusted)>,
}

impl Refusal {
    pub(super) fn of(path: &Path, status: ApprovalStatus, nearest: &Path) -> Self {
        Self { path: path.to_owned(), status, nearest: nearest.to_owned(), change: None, untrusted: None }
    }

    /// Returns the message for the user.
    #[must_use]
    pub fn problem(&self, context: &Context) -> Problem {
        let (shown, nearest) = (context.shorten(&self.path), context.shorten(&self.nearest));
        let inherited = self.path != self.nearest;
        if let Some((data, untrusted)) = &self.untrusted {
            return untrusted_approvals(data, untrusted, context);
        }
        match &self.status {
            ApprovalStatus::Edited => {
                let since = format!("since {nearest} was allowed");
                let problem = match self.change.as_ref().map(|change| &change.what) {
                    Some(Changed::Removed) => Problem::new(format!("{shown} was removed {since}")),
                    Some(Changed::Added) => Problem::new(format!("{shown} was added {since}")),
                    Some(Changed::Target) => {
                        Problem::new(format!("{shown} has another target than when it was allowed"))
                    }
                    Some(Changed::Owner(owner)) => {
                        let problem = Problem::new(format!("{shown} has another owner than when it was allowed"));
                        problem.because(owner.map_or("it is yours or root's now".to_owned(), |uid| {
                            format!("it belongs to uid {uid} now")
                        }))
                    }
                    _ => Problem::new(format!("{shown} was changed since it was allowed")),
                };
                let problem = match inherited {
                    true => problem.because(format!(
                        "{nearest} inherits, and its approval covers every file that it inherits from"
                    )),
                    false => problem,
                };
                problem.hint("`awsrole allow` shows the changes and allows them")
            }
            ApprovalStatus::Denied if inherited => denied_base(context, &self.path, &self.nearest),
            ApprovalStatus::Denied => {
                Problem::new(format!("{shown} was denied")).hint("`awsrole allow` allows it again")
            }
            _ => Problem::new(format!("{shown} isn't allowed yet: `awsrole allow` shows and allows it")),
        }
    }
}

/// Returns the problem that a base file of the nearest one was denied. Only `allow` in the base file's own directory
/// removes the denial.
#[must_use]
pub fn denied_base(context: &Context, base: &Path, nearest: &Path) -> Problem {
    let folder = context.shorten(base.parent().unwrap_or(base));
    Problem::new(format!("{} was denied", context.shorten(base)))
        .because(format!("{} inherits from it", context.shorten(nearest)))
        .hint(format!("run `awsrole allow {folder}`, then allow this directory"))
}

/// Returns the problem that approvals can't be trusted because another user controls a component of their path.
#[must_use]
pub fn untrusted_approvals(data: &Path, untrusted: &Untrusted, context: &Context) -> Problem {
    let problem = Problem::new(format!("approvals in {} can't be trusted", context.shorten(data))).because(untrusted);
    let problem = match untrusted.why {
        Distrust::Foreign { .. } if context.paths.home.starts_with(&untrusted.path) => {
            let me = rustix::process::geteuid().as_raw();
            return problem
                .because(format!("this process runs as uid {me}, and HOME is {}", context.paths.home.display()))
                .hint("HOME must be your own: `sudo -i` and `su -` set it");
        }
        _ => problem,
    };
    let elsewhere = "set XDG_DATA_HOME to a directory of your own";
    match untrusted.remedy() {
        Some(remedy) => problem.hint(format!("`{remedy}`, or {elsewhere}")),
        None => problem.hint(elsewhere),
    }
}
