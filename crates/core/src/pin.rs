//! The account that credentials must belong to: checked before any call, and again before export.

use crate::arn::AccountId;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::plan::{RolePlan, Step};
use crate::problem::Problem;

/// Checks the role ARN's account against the pin, and that of each role on the way against the accounts for
/// which a rule trusts the file, before anything is asked.
pub fn check(plan: &RolePlan, config: &Config, only: Option<&[AccountId]>) -> Result<(), Problem> {
    let account = plan.account();
    if let (Some(pin), Some(account)) = (&plan.pin, &account)
        && pin != account
    {
        let origin = config.origin(plan.name.as_deref(), "account_id");
        return Err(Problem::new(format!(
            "{origin}: the role belongs to account {account}, but account_id pins {pin}"
        ))
        .because(format!("the role is {}", plan.role_arn().map_or(plan.title(), ToString::to_string)))
        .hint("the pin or the role is wrong; nothing was asked of AWS and nothing is exported"));
    }
    let Some(only) = only else { return Ok(()) };
    let Some(account) = account.as_ref().or(plan.pin.as_ref()) else {
        return Err(Problem::new(format!("{} names no account, so no rule can trust it", config.file.display()))
            .hint("pin the account with `account_id`, or approve the file with `awsrole allow`"));
    };
    // A call is made for each of them, not for the last alone.
    let on_the_way = plan.steps.iter().filter_map(|step| match step {
        Step::AssumeRole(role) => Some((role.role_arn.account(), Some(&role.role_arn))),
        Step::SessionToken(_) => None,
    });
    let Some((account, role)) = [(account, None)].into_iter().chain(on_the_way).find(|(one, _)| !only.contains(one))
    else {
        return Ok(());
    };
    let problem = Problem::new(format!("{}: your [[trust]] rule isn't for account {account}", config.file.display()))
        .hint("add the account to the rule in your config.toml, or approve the file with `awsrole allow`");
    Err(role.into_iter().fold(problem, |problem, role| problem.because(format!("{role} is on the way to the role"))))
}

/// Checks what came back against the pin; without a pin, a role's credentials must still belong to
/// the role's account.
pub fn check_result(plan: &RolePlan, credentials: &Credentials) -> Result<(), Problem> {
    let Some(expected) = plan.pin.clone().or_else(|| plan.account()) else {
        return Ok(());
    };
    match credentials.account() {
        Some(account) if account == expected => Ok(()),
        // Sources don't say who they are; where a pin wants to know, STS was asked.
        None if plan.pin.is_none() && plan.steps.is_empty() => Ok(()),
        account => {
            let got = account.map_or("an unknown account".to_owned(), |account| format!("account {account}"));
            Err(Problem::new(format!("the credentials belong to {got}, but account {expected} was expected"))
                .because(format!("they are {}", credentials.arn.as_deref().unwrap_or("of an unknown principal")))
                .hint("nothing is exported; check `account_id` and the profile that is the source"))
        }
    }
}
