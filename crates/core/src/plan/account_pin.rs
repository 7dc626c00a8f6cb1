//! The expected account of the credentials, checked before any call and again before export.

use crate::aws::arn::{AccountId, account_of};
use crate::aws::credentials::Credentials;
use crate::aws::source::Source;
use crate::base::problem::Problem;
use crate::plan::role_plan::{RolePlan, Step};
use crate::project::config::Config;
use crate::settings::accounts::Accounts;

/// Checks the plan before any call is made.
///
/// The role ARN's account must match the pin. The accounts of the source and of each role in the chain must be among
/// those for which a rule trusts the file. If only AWS knows the source's account, `check_source` checks it later.
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
        .hint("the pin or the role is wrong: AWS was not called and nothing is exported"));
    }
    let Some(only) = only else { return Ok(()) };
    let Some(account) = account.as_ref().or(plan.pin.as_ref()) else {
        return Err(Problem::new(format!("{} has no known account, so no rule can trust it", config.file.display()))
            .hint("pin the account with `account_id`, or allow the file with `awsrole allow`"));
    };
    // Calls are made as each of them, not only as the last one.
    let source = source_account(&plan.source).map(|account| (account, Some(plan.source.to_string())));
    let roles = plan.roles().map(|role| (role.role_arn.account().clone(), Some(role.role_arn.to_string())));
    let mut on_the_way = [(account.clone(), None)].into_iter().chain(source).chain(roles);
    match on_the_way.find(|(account, _)| !only.contains(account)) {
        None => Ok(()),
        Some((account, who)) => {
            let problem =
                no_rule(format!("{}: your [[trust]] rule isn't for account {account}", config.file.display()));
            Err(who
                .into_iter()
                .fold(problem, |problem, who| problem.because(format!("{who} is in the chain to the role"))))
        }
    }
}

/// Returns the accounts that the source may belong to, if only AWS knows its account.
///
/// This applies to a file that a rule trusts and a source that assumes a role. Without a role, the pin is compared with
/// the source's account.
pub(crate) fn source_accounts(source: &Source, steps: &[Step], only: Option<&[AccountId]>) -> Option<Vec<AccountId>> {
    let assumes = steps.iter().any(|step| matches!(step, Step::AssumeRole(_)));
    only.filter(|_| assumes && source_account(source).is_none()).map(<[AccountId]>::to_vec)
}

/// Checks the caller of a plan's first AssumeRole, as returned by STS, against [`RolePlan::source_accounts`].
pub(crate) fn check_source(plan: &RolePlan, arn: &str) -> Result<(), Problem> {
    let Some(only) = &plan.source_accounts else { return Ok(()) };
    match account_of(arn) {
        Some(account) if only.contains(&account) => Ok(()),
        account => {
            let got = account.map_or("an unknown account".to_owned(), |account| format!("account {account}"));
            let problem = no_rule(format!("{}: your [[trust]] rule isn't for {got}", plan.source));
            Err(problem.because(format!("the role would be assumed by {arn}")))
        }
    }
}

fn no_rule(summary: String) -> Problem {
    Problem::new(summary)
        .hint("add the account to the rule in your config.toml, or allow the file with `awsrole allow`")
}

/// Returns the account of a source, if the user's files contain it.
pub(crate) fn source_account(source: &Source) -> Option<AccountId> {
    match source {
        Source::IdentityCenter(role) => AccountId::parse(&role.account_id).ok(),
        Source::WebIdentity(token) => Some(token.role_arn.account().clone()),
        Source::ConsoleLogin(login) => account_of(&login.session),
        Source::StaticKeys(_)
        | Source::StoredKeys(_)
        | Source::Process(_)
        | Source::Instance { .. }
        | Source::Container { .. } => None,
    }
}

/// Returns the account that the resulting credentials will belong to, if the user's files contain it.
#[must_use]
pub fn expected_account(plan: &RolePlan) -> Option<AccountId> {
    let of_source = || plan.role().is_none().then(|| source_account(&plan.source)).flatten();
    plan.account().or_else(|| plan.pin.clone()).or_else(of_source)
}

/// Checks the returned credentials against the pin. Without a pin, a role's credentials must belong to the role's
/// account. Credentials of a source whose account isn't known in advance must not belong to a protected account.
pub(crate) fn check_result(plan: &RolePlan, credentials: &Credentials) -> Result<(), Problem> {
    check_protected(plan, credentials)?;
    let Some(expected) = plan.pin.clone().or_else(|| plan.account()) else {
        return Ok(());
    };
    match credentials.account() {
        Some(account) if account == expected => Ok(()),
        // Sources don't return an account. If there is a pin, GetCallerIdentity was called.
        None if plan.pin.is_none() && plan.steps.is_empty() => Ok(()),
        account => {
            let got = account.map_or("an unknown account".to_owned(), |account| format!("account {account}"));
            Err(Problem::new(format!("the credentials belong to {got}, but account {expected} was expected"))
                .because(format!("they are {}", credentials.arn.as_deref().unwrap_or("of an unknown principal")))
                .hint("nothing is exported: check `account_id` and the source profile"))
        }
    }
}

/// Sets the protected accounts that the credentials of a plan must not belong to.
///
/// If the account is known in advance, the conditions of [`Guard`](crate::plan::guard::Guard) apply instead, and the
/// credentials are compared with it. A console login names its account in advance, but isn't compared, so all other
/// protected accounts are set.
#[must_use]
pub fn protect(plan: RolePlan, accounts: &Accounts) -> RolePlan {
    if plan.account().is_some() || plan.pin.is_some() {
        return plan;
    }
    let expected = expected_account(&plan);
    let others = accounts.protected().filter(|account| expected.as_ref() != Some(account));
    RolePlan { protected: others.cloned().collect(), ..plan }
}

/// Checks the credentials against the protected accounts of [`protect`].
fn check_protected(plan: &RolePlan, credentials: &Credentials) -> Result<(), Problem> {
    if plan.protected.is_empty() {
        return Ok(());
    }
    let title = plan.title();
    let why = match &plan.agent {
        None => "config.toml sets `protect = true`, and awsrole could not ask before",
        Some(_) => "config.toml sets `protect = true`",
    };
    let pin = |id: &str| match &plan.agent {
        None => format!("set `account_id = \"{id}\"` in a [role.NAME]: then `awsrole use NAME` asks"),
        Some(_) => "agents get no session in a protected account: ask your user for another role".to_owned(),
    };
    Err(match credentials.account() {
        Some(account) if !plan.protected.contains(&account) => return Ok(()),
        Some(account) => {
            Problem::new(format!("{title} belongs to account {account}, which is protected: nothing is exported"))
                .because(why)
                .hint(pin(account.as_str()))
        }
        None => Problem::new(format!("the account of {title} is unknown and may be protected: nothing is exported"))
            .because(why)
            .hint(pin("ACCOUNT")),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::aws::profiles::Profiles;
    use crate::aws::profiles::tests::home;
    use crate::base::cache_key_backend::CacheKeySetting;
    use crate::plan::requester::Requester;
    use crate::plan::resolve::plan;
    use crate::project::approval::{Approvals, Chain, Verdict, evaluate_files};
    use crate::session::cache::Cache;
    use crate::session::encryption::CacheEncryption;
    use crate::session::encryption::tests::Shelf;
    use crate::settings::user_config::{Settings, TrustRule, UserConfig};

    const CONFIG: &str = "\
[profile center]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 999999999999
sso_role_name = Admin
[profile token]
role_arn = arn:aws:iam::999999999999:role/Ci
web_identity_token_file = /nowhere
[profile console]
login_session = arn:aws:sts::999999999999:assumed-role/Admin/alice
";
    const CREDENTIALS: &str = "\
[jump]
aws_access_key_id = AKIAJUMP
aws_secret_access_key = canary
";

    /// Plans a file that is approved or, with `accounts`, allowed only by a rule for these accounts.
    fn planned(text: &str, accounts: Option<&[&str]>) -> Result<RolePlan, Problem> {
        let (_home, context) = home(CONFIG, CREDENTIALS);
        let path = context.dir.join(".awsrole.toml");
        crate::base::files::write_private(&path, text.as_bytes()).unwrap();
        let (paths, approvals) = ([path], Approvals::below(&context.paths.data));
        let mut user = UserConfig::default();
        match accounts {
            None => approvals.allow(&Chain::read(&paths).unwrap()).unwrap(),
            Some(accounts) => {
                let accounts = accounts.iter().map(|account| AccountId::parse(account).unwrap()).collect();
                user.trust = vec![TrustRule { path: context.dir.clone(), accounts, is_of_organization: false }];
            }
        }
        let requester = Requester::of(&context, &Settings::default())?;
        match evaluate_files(&paths, &approvals, &user).0 {
            Verdict::Allowed(allowed) => plan(&allowed, None, &Profiles::load(&context).unwrap(), &context, &requester),
            Verdict::Broken { problem, .. } => Err(problem),
            Verdict::Refused(_) => panic!(),
        }
    }

    fn ruled(text: &str, accounts: &[&str]) -> Result<RolePlan, Problem> {
        planned(text, Some(accounts))
    }

    #[test]
    fn rule_must_include_the_sources_account() {
        let role =
            |profile: &str| format!("role_arn = \"arn:aws:iam::222222222222:role/R\"\nsource_profile = \"{profile}\"");
        for profile in ["center", "token", "console"] {
            let account = "999999999999";
            let problem = ruled(&role(profile), &["222222222222"]).err().unwrap();
            assert!(problem.summary.contains(&format!("isn't for account {account}")), "{problem}");
            assert!(problem.causes[0].contains(profile), "{problem}");
            let plan = ruled(&role(profile), &["222222222222", account]).unwrap();
            assert_eq!(plan.source_accounts, None, "nothing is left to ask");
        }
        // Only AWS knows the account of these keys.
        let plan = ruled(&role("jump"), &["222222222222", "333333333333"]).unwrap();
        let accounts = ["222222222222", "333333333333"].map(|account| AccountId::parse(account).unwrap());
        assert_eq!(plan.source_accounts.as_deref(), Some(&accounts[..]));
        for (arn, fine) in [
            ("arn:aws:iam::333333333333:user/alice", true),
            ("arn:aws:sts::222222222222:assumed-role/R/alice", true),
            ("arn:aws:iam::111111111111:user/alice", false),
            ("nonsense", false),
        ] {
            assert_eq!(check_source(&plan, arn).is_ok(), fine, "{arn}");
        }
    }

    #[test]
    fn cache_key_of_a_role_includes_the_rules_accounts() {
        let text = "role_arn = \"arn:aws:iam::222222222222:role/R\"\nsource_profile = \"jump\"\n\
            mfa_serial = \"arn:aws:iam::111111111111:mfa/alice\"";
        let allowed = planned(text, None).unwrap();
        let one = ruled(text, &["222222222222"]).unwrap();
        let two = ruled(text, &["222222222222", "333333333333"]).unwrap();
        let nowhere = Path::new("/nowhere");
        let cache = Cache::in_dir(nowhere, CacheEncryption::new(nowhere, Shelf::new(), CacheKeySetting::Auto));
        let [allowed, one, two] = [allowed, one, two].map(|plan| {
            let keys = cache.keys(&plan);
            (keys.session(1), keys.session(2))
        });
        assert!(allowed.0 == one.0 && one.0 == two.0, "a code is asked for once");
        assert!(allowed.1 != one.1 && one.1 != two.1 && allowed.1 != two.1);
    }
}
