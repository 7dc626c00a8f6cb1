//! What must happen before a role is assumed: `manual` and `confirm` of the project file, and `protect` of the user's
//! account settings, which no file can loosen.
//!
//! A role has the conditions of each role through which it is assumed, because awsrole assumes that one, too.

use crate::aws::arn::AccountId;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::plan::account_pin::{expected_account, source_account};
use crate::plan::role_plan::RolePlan;
use crate::project::approval::Allowed;
use crate::project::config::{Config, Confirm, RoleConfig};
use crate::settings::accounts::Accounts;

/// The conditions under which a role is assumed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    /// Whether the user must choose the role by its name.
    pub manual: bool,
    /// What the user must answer.
    pub confirm: Confirm,
    /// The account, as it is shown to the user, if it is protected.
    pub protected: Option<String>,
    /// The number of roles before the one with `confirm = "account"`, counted from the role itself. The user types the
    /// account of that one.
    pub typed: usize,
    /// The keys of the project file that set a condition, those of the role itself first.
    pub settings: Vec<GuardSetting>,
}

/// A `manual` or `confirm` that applies to a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSetting {
    /// The name of the key.
    pub key: &'static str,
    /// The source role that has the key. `None` is the role itself.
    pub source_role: Option<String>,
    /// The location of the key.
    pub origin: Origin,
}

impl GuardSetting {
    /// Returns a sentence for an error about the role.
    #[must_use]
    pub fn reason(&self) -> String {
        let Self { key, source_role, origin } = self;
        match source_role {
            None => format!("{origin}: the role has `{key}`"),
            Some(source) => format!("{origin}: its source role {source} has `{key}`"),
        }
    }
}

impl Guard {
    /// Returns the conditions that the project file sets for a role and for each role through which it is assumed. The
    /// strictest ones count. `None` is the default role.
    #[must_use]
    pub fn of_file(config: &Config, role: Option<&str>) -> Self {
        let mut guard = Self::default();
        let mut seen = Vec::new();
        let mut next = config.select(role).ok();
        // The resolver reports circles and unknown names.
        while let Some((name, keys)) = next.filter(|(name, _)| !seen.contains(name)) {
            let index = seen.len();
            let confirm = keys.confirm.unwrap_or_default();
            for (key, is_set) in [("manual", keys.manual == Some(true)), ("confirm", confirm != Confirm::Never)] {
                if is_set {
                    let origin = config.origin(name.as_deref(), key);
                    let source_role = name.clone().filter(|_| index > 0);
                    guard.settings.push(GuardSetting { key, source_role, origin });
                }
            }
            guard.manual |= keys.manual == Some(true);
            if confirm == Confirm::Account && guard.confirm != confirm {
                guard.typed = index;
            }
            guard.confirm = guard.confirm.max(confirm);
            next = keys.source_role.as_deref().and_then(|source| config.select(Some(source)).ok());
            seen.push(name);
        }
        guard
    }

    /// Returns the conditions of a project's role. `None` is the default role.
    #[must_use]
    pub fn of_role(allowed: &Allowed, role: Option<&str>, plan: &RolePlan, accounts: &Accounts) -> Self {
        Self::of_file(allowed.config(), role).protecting(protected_account(plan, accounts).iter(), accounts)
    }

    /// Returns the conditions of a profile that the user selected by its name.
    #[must_use]
    pub fn of_profile(plan: &RolePlan, accounts: &Accounts) -> Self {
        Self::default().protecting(protected_account(plan, accounts).iter(), accounts)
    }

    /// Returns the account that the user must type for `confirm = "account"`, if it is known.
    pub(crate) fn typed_account(&self, plan: &RolePlan) -> Option<AccountId> {
        let roles: Vec<_> = plan.roles().collect();
        let source_role = roles.iter().rev().nth(self.typed).map(|role| role.role_arn.account().clone());
        let of_source_role = || source_role.or_else(|| source_account(&plan.source));
        (self.typed > 0).then(of_source_role).flatten().or_else(|| expected_account(plan))
    }

    /// Adds the conditions of the accounts to which a role leads.
    #[must_use]
    pub fn protecting<'a>(self, mut led_to: impl Iterator<Item = &'a AccountId>, accounts: &Accounts) -> Self {
        let Some(account) = led_to.find(|account| accounts.is_protected(account)) else { return self };
        Self { manual: true, confirm: self.confirm.max(Confirm::Yes), protected: Some(accounts.shown(account)), ..self }
    }

    /// Checks that the user selected a project's role by its name, if that is a condition.
    ///
    /// # Errors
    /// Fails if `role` is `None`, which is what `cd` assumes.
    pub fn require_name(&self, allowed: &Allowed, role: Option<&str>) -> Result<(), Problem> {
        if !self.manual || role.is_some() {
            return Ok(());
        }
        let (name, _) = allowed.config().select(None)?;
        let named = |name: &str| format!("run `awsrole use {name}`, or `awsrole exec --role {name} -- CMD`");
        let into_table = "move its keys into a table [role.NAME], and run `awsrole use NAME`";
        let manual = self.settings.iter().find(|setting| setting.key == "manual");
        let source = manual.and_then(|setting| Some((setting.source_role.as_ref()?, &setting.origin)));
        if let (None, Some((source, at))) = (&self.protected, source) {
            let has = format!("{at}: its source role {source} has `manual = true`");
            let open = format!("to let `cd` assume {source}, remove this key");
            return Err(match name {
                Some(name) => Problem::new(format!("`cd` does not assume role {name}")).because(has).hint(named(&name)),
                None => Problem::new("`cd` does not assume this role").because(has).hint(into_table),
            }
            .hint(open));
        }
        Err(match (&self.protected, name) {
            (Some(account), Some(name)) => {
                Problem::new(format!("account {account} is protected, so `cd` does not assume role {name}"))
                    .because("config.toml sets `protect = true` for it")
                    .hint(named(&name))
            }
            (Some(account), None) => {
                Problem::new(format!("account {account} is protected, so its roles are chosen by name"))
                    .because("config.toml sets `protect = true` for it, and this role has no name")
                    .hint(into_table)
            }
            (None, Some(name)) => {
                Problem::new(format!("role {name} has `manual = true`, so `cd` does not assume it")).hint(named(&name))
            }
            (None, None) => {
                let at = allowed.config().origin(None, "manual");
                Problem::new(format!("{at}: a role with `manual = true` must be a table [role.NAME]")).hint(into_table)
            }
        })
    }
}

/// Returns the first protected account that a plan leads to or through.
pub(crate) fn protected_account(plan: &RolePlan, accounts: &Accounts) -> Option<AccountId> {
    let roles = plan.roles().map(|role| role.role_arn.account().clone());
    expected_account(plan).into_iter().chain(roles).find(|account| accounts.is_protected(account))
}

/// Checks the keys of a planned role. `at` is the location of `confirm`.
///
/// # Errors
/// Fails for `confirm = "account"` if the user's files don't contain the account.
pub(super) fn check(plan: &RolePlan, keys: &RoleConfig, at: &Origin) -> Result<(), Problem> {
    if keys.confirm != Some(Confirm::Account) || expected_account(plan).is_some() {
        return Ok(());
    }
    Err(Problem::new(format!("{at}: `confirm = \"account\"` needs an account that is known before the call"))
        .because(format!("only AWS knows the account of {}", plan.source))
        .hint("pin the account with `account_id`"))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::aws::credentials::Credentials;
    use crate::aws::credentials::tests::credentials;
    use crate::plan::account_pin::{check_result, protect};
    use crate::plan::resolve::tests::Home;
    use crate::settings::accounts::Account;

    const CONFIG: &str = "\
[profile sso]
sso_start_url = https://corp.example.com/start
sso_region = eu-central-1
sso_account_id = 333333333333
sso_role_name = Admin
[profile console]
login_session = arn:aws:iam::333333333333:user/alice
[profile vault]
credential_process = vault
";
    const ROLE: &str = "role_arn = \"arn:aws:iam::333333333333:role/R\"\nsource_profile = \"vault\"\n";

    fn protected() -> Accounts {
        let account = Account { protect: true, ..Account::default() };
        Accounts([(AccountId::parse("333333333333").unwrap(), account)].into())
    }

    fn planned(text: &str) -> Result<RolePlan, Problem> {
        Home::new(CONFIG, "", &[("USER", "alice")]).plan(text).map(|plan| protect(plan, &protected()))
    }

    #[test]
    fn a_protected_account_makes_every_role_manual_and_confirmed() {
        let instance = "credential_source = \"Ec2InstanceMetadata\"\n";
        for (text, known) in [
            (ROLE.to_owned(), true),
            (ROLE.replace('3', "2"), false),
            ("profile = \"sso\"".to_owned(), true),
            ("profile = \"console\"".to_owned(), true),
            ("profile = \"vault\"".to_owned(), false),
            ("profile = \"vault\"\naccount_id = \"333333333333\"".to_owned(), true),
            (instance.to_owned(), false),
            (format!("{instance}account_id = \"333333333333\""), true),
        ] {
            let plan = planned(&text).unwrap();
            let guard = Guard::of_profile(&plan, &protected());
            let expected = if known { (true, Confirm::Yes) } else { (false, Confirm::Never) };
            assert_eq!((guard.manual, guard.confirm), expected, "{text}");
            // Where only AWS knows the account, its answer is checked.
            let is_open = !known && !text.contains("role_arn");
            assert_eq!((plan.protected.len(), plan.needs_account()), (is_open.into(), is_open || plan.pin.is_some()));
            for (arn, is_fine) in [
                (Some("arn:aws:sts::333333333333:assumed-role/R/alice"), false),
                (Some("arn:aws:sts::222222222222:assumed-role/R/alice"), true),
                (None, false),
            ] {
                let arn = arn.map(str::to_owned);
                let checked = check_result(&plan, &Credentials { arn: arn.clone(), ..credentials(UNIX_EPOCH, 900) });
                assert!(!is_open || checked.is_ok() == is_fine, "{text} {arn:?}");
            }
        }
        let strict = Guard { confirm: Confirm::Account, ..Guard::default() };
        let account = AccountId::parse("333333333333").unwrap();
        assert_eq!(strict.protecting([account].iter(), &protected()).confirm, Confirm::Account);
    }

    #[test]
    fn a_chain_through_a_protected_account_is_guarded() {
        let near = ROLE.replace('3', "2").replace("source_profile = \"vault\"", "source_role = \"prod\"");
        let text = format!("default_role = \"near\"\n[role.prod]\n{ROLE}[role.near]\n{near}");
        let plan = planned(&text).unwrap();
        assert_eq!(plan.account().unwrap().as_str(), "222222222222");
        assert!(Guard::of_profile(&plan, &protected()).manual);
    }

    #[test]
    fn a_role_has_the_conditions_of_its_source_roles() {
        use crate::project::config::tests::config;
        let roles = |far: &str, middle: &str, near: &str, top: &str| {
            config(&format!(
                "{top}default_role = 'near'\n[role.far]\n{far}[role.middle]\nsource_role = 'far'\n{middle}\
                 [role.near]\nsource_role = 'middle'\n{near}"
            ))
        };
        let (manual, asks, account) = ("manual = true\n", "confirm = true\n", "confirm = 'account'\n");
        for (far, middle, near, top, expected) in [
            ("", "", "", "", (false, Confirm::Never)),
            (manual, "", "", "", (true, Confirm::Never)),
            ("", manual, "", "", (true, Confirm::Never)),
            (asks, "", "", "", (false, Confirm::Yes)),
            (account, asks, "", "", (false, Confirm::Account)),
            (asks, account, manual, "", (true, Confirm::Account)),
            // A key of one role doesn't loosen that of another.
            (manual, asks, "manual = false\nconfirm = false\n", "", (true, Confirm::Yes)),
            ("manual = false\n", "manual = false\n", "manual = false\n", manual, (false, Confirm::Never)),
            ("", "", "manual = false\n", manual, (true, Confirm::Never)),
            // The resolver reports the circle, and the unknown role of a file that inherits.
            ("source_role = 'near'\n", asks, "", "", (false, Confirm::Yes)),
            ("source_role = 'nobody'\n", manual, "", "inherit = true\n", (true, Confirm::Never)),
        ] {
            for role in [None, Some("near")] {
                let guard = Guard::of_file(&roles(far, middle, near, top), role);
                assert_eq!((guard.manual, guard.confirm), expected, "{far}{middle}{near}{top}");
                assert_eq!(guard.settings.is_empty(), expected == (false, Confirm::Never));
            }
        }
        let reasons = |guard: Guard| guard.settings.iter().map(GuardSetting::reason).collect::<Vec<_>>();
        let config = roles(manual, asks, manual, "");
        assert_eq!(
            reasons(Guard::of_file(&config, None)),
            [
                "/p/.awsrole.toml:9: the role has `manual`",
                "/p/.awsrole.toml:6: its source role middle has `confirm`",
                "/p/.awsrole.toml:3: its source role far has `manual`",
            ]
        );
        assert_eq!(reasons(Guard::of_file(&config, Some("far"))), ["/p/.awsrole.toml:3: the role has `manual`"]);
    }

    #[test]
    fn an_account_that_is_typed_must_be_known() {
        assert!(planned(&format!("{ROLE}confirm = \"account\"")).is_ok());
        let problem = planned("profile = \"vault\"\nconfirm = \"account\"").err().unwrap();
        assert!(problem.summary.contains(".awsrole.toml:2: `confirm = \"account\"` needs"), "{problem}");
    }
}
