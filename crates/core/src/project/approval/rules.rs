//! Evaluates the `[[trust]]` rules of the user's settings.

use crate::aws::arn::AccountId;
use crate::base::files::trusted::{self, Untrusted};
use crate::base::problem::Problem;
use crate::project::discover::ConfigFile;
use crate::settings::user_config::TrustRule;

/// Returns the accounts of all rules that match a file.
///
/// Paths are compared by whole components: `/work` doesn't match `/work-evil`. For a symbolic link, both its place and
/// its target must match.
///
/// # Errors
/// Fails if another user can change the file, its directories, or what the rule's path resolves to.
pub(super) fn accounts(file: &ConfigFile, rules: &[TrustRule]) -> Result<Vec<AccountId>, Problem> {
    let paths = [&file.place, &file.canonical];
    let (mut accounts, mut owner) = (Vec::new(), "your");
    for rule in rules {
        // Symbolic links that others control are followed to find out whether the rule matches. If it does, it is
        // rejected.
        let resolved = trusted::resolve(&rule.path);
        let path = match &resolved {
            Ok(path) => path.clone(),
            Err(_) => rule.path.canonicalize().unwrap_or_else(|_| rule.path.clone()),
        };
        if paths.iter().all(|file| file.starts_with(&path)) {
            let problem = |untrusted: &Untrusted| {
                let (whose, rule) = (whose(rule), rule.path.display());
                untrusted_by(untrusted, format!("{whose} [[trust]] rule for {rule} can't be used"))
            };
            resolved.as_ref().map_err(problem)?;
            owner = whose(rule);
            accounts.extend(rule.accounts.iter().cloned());
        }
    }
    if accounts.is_empty() {
        return Ok(accounts);
    }
    // The content isn't approved by its hash, so nobody else may be able to change it.
    for path in paths {
        let shown = file.path.display();
        let problem =
            |untrusted: Untrusted| untrusted_by(&untrusted, format!("{shown} isn't trusted by {owner} [[trust]] rule"));
        trusted::resolve(path).map_err(problem)?;
    }
    Ok(accounts)
}

fn whose(rule: &TrustRule) -> &'static str {
    if rule.is_of_organization { "the organization's" } else { "your" }
}

fn untrusted_by(untrusted: &Untrusted, summary: String) -> Problem {
    let allow = "allow this content with `awsrole allow`";
    let problem = Problem::new(summary).because(untrusted);
    match untrusted.remedy() {
        Some(remedy) => problem.hint(format!("`{remedy}`, or {allow}")),
        None => problem.hint(allow),
    }
}
