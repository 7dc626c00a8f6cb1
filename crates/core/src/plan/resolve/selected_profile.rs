//! Plans a profile that the user selected by its name, without a project's file.

use std::borrow::Cow;
use std::path::PathBuf;

use super::{Chain, ChainNode, Resolver, suspicious_lines, with_suspicious_lines};
use crate::aws::arn::AccountId;
use crate::aws::parameters::PermissionSet;
use crate::aws::profiles::Profiles;
use crate::base::context::Context;
use crate::base::problem::Problem;
use crate::plan::requester::Requester;
use crate::plan::role_plan::RolePlan;
use crate::project::config::{Config, RoleConfig};

/// A profile that the user selected with an option of a command, or with `awsrole use --profile` in this shell.
///
/// The name `SESSION/ACCOUNT/ROLE` selects a permission set of an `[sso-session]`, unless a profile has this name.
///
/// It becomes a plan without an approval, because nothing but this choice and the user's own AWS files decides what the
/// plan is. A name from any other place, such as a project's file, must never become this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedProfile(String);

impl SelectedProfile {
    /// Takes the value of an option that the user typed, or a name that `shell::choice` authenticated.
    #[must_use]
    pub fn of_option(name: String) -> Self {
        Self(name)
    }

    /// Selects a permission set by the values of options that the user typed.
    ///
    /// # Errors
    /// Fails for an invalid name.
    pub fn of_permission_set(session: &str, account: &AccountId, role_name: &str) -> Result<Self, Problem> {
        let role_name = PermissionSet::parse(role_name).map_err(|e| Problem::new(format!("--role-name {e}")))?;
        Ok(Self(format!("{session}/{account}/{}", role_name.as_str())))
    }

    /// Returns the keys of the permission set that the name selects, or `None` if it has another form. The session may
    /// contain slashes.
    fn permission_set(&self) -> Option<RoleConfig> {
        let (rest, role_name) = self.0.rsplit_once('/')?;
        let (session, account) = rest.rsplit_once('/').filter(|(session, _)| !session.is_empty())?;
        Some(RoleConfig {
            sso_session: Some(session.to_owned()),
            sso_account_id: Some(AccountId::parse(account).ok()?),
            sso_role_name: Some(PermissionSet::parse(role_name).ok()?),
            ..RoleConfig::default()
        })
    }

    /// Returns the profile's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Plans the profile's role or, if it has none, a session of its credentials. The session is the one that a project
    /// with this profile has, too.
    ///
    /// # Errors
    /// Fails for a profile that doesn't exist, leads to no credentials, or has invalid values, each with the file and
    /// line of the key, and if the requester may have none.
    pub fn plan(&self, profiles: &Profiles, context: &Context, requester: &Requester) -> Result<RolePlan, Problem> {
        requester.limit(self.plan_unlimited(profiles, context)?, &[])
    }

    fn plan_unlimited(&self, profiles: &Profiles, context: &Context) -> Result<RolePlan, Problem> {
        let mut config = Config::default();
        profiles.paths()[0].clone_into(&mut config.file);
        let resolver = Resolver::of(&config, profiles, context);
        if self.0.is_empty() {
            return Err(Problem::new("--profile: the name is empty").hint("such as `--profile default`"));
        }
        let profile = profiles.get(&self.0);
        let keys = match (&profile, self.permission_set()) {
            (Some(_), _) => RoleConfig { profile: Some(self.0.clone()), ..RoleConfig::default() },
            (None, Some(keys)) => keys,
            (None, None) => return Err(resolver.no_profile(&self.0, "--profile: ")),
        };
        let node = ChainNode { keys: Cow::Owned(keys), ..ChainNode::of(profile) };
        let mut chain = Chain::default();
        let followed = resolver.follow(&node, &mut Vec::new(), &mut chain);
        let suspicious_lines = suspicious_lines(profiles, &chain);
        let plan = followed.and_then(|()| resolver.plan(None, &node, None, chain));
        let plan = plan.map(|plan| RolePlan { profile: Some(self.0.clone()), is_selected_profile: true, ..plan });
        with_suspicious_lines(plan, suspicious_lines)
    }

    /// Returns the file of the profile, by its absolute path. If both AWS files have the profile, or none has it, this
    /// is the config file.
    #[must_use]
    pub fn file(&self, profiles: &Profiles, context: &Context) -> PathBuf {
        let file = profiles.get(&self.0).map(|profile| profile.origin("").file);
        context.dir.join(file.unwrap_or_else(|| profiles.paths()[0].to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::tests::home;

    const CONFIG: &str = "\
[profile jump]
aws_access_key_id = AKIAJUMP
aws_secret_access_key = canary
[profile deploy]
role_arn = arn:aws:iam::222222222222:role/Deploy
source_profile = jump
region = eu-west-1
[profile wrong]
role_arn = arn:aws:iam::222222222222:user/Deploy
source_profile = jump
[profile one]
credential_process = awsrole credential-process --profile two
[profile two]
role_arn = arn:aws:iam::222222222222:role/Deploy
source_profile = one
[profile fine]
credential_process = awsrole credential-process --profile deploy
[profile later]
credential_process = awsrole credential-process --profile nowhere
[profile corp/222222222222/Own]
role_arn = arn:aws:iam::222222222222:role/Own
source_profile = jump
[sso-session corp]
sso_start_url = https://corp.example.com/start
sso_region = eu-central-1
";

    fn planned(name: &str) -> Result<RolePlan, Problem> {
        let (_home, context) = home(CONFIG, "");
        let requester = Requester::of(&context, &crate::settings::user_config::Settings::default())?;
        SelectedProfile::of_option(name.to_owned()).plan(&Profiles::load(&context).unwrap(), &context, &requester)
    }

    #[test]
    fn a_plan_has_the_profiles_name_and_settings() {
        let plan = planned("deploy").unwrap();
        assert_eq!((plan.title().as_str(), plan.profile.as_deref(), plan.name), ("deploy", Some("deploy"), None));
        assert_eq!(plan.region.unwrap().as_str(), "eu-west-1");
        assert_eq!(plan.steps.len(), 1);
        assert_eq!(planned("jump").unwrap().steps.len(), 1, "keys get a session");
    }

    #[test]
    fn a_name_with_slashes_is_a_permission_set_unless_a_profile_has_it() {
        let plan = planned("corp/222222222222/Admin").unwrap();
        assert_eq!(plan.source.to_string(), "permission set Admin in 222222222222 (IAM Identity Center)");
        assert_eq!(plan.title(), "corp/222222222222/Admin");
        assert_eq!(plan.account().unwrap().as_str(), "222222222222");
        assert!(planned("corp/222222222222/Own").unwrap().role_arn().is_some());
        for name in
            ["crop/222222222222/Admin", "corp/2222/Admin", "/222222222222/Admin", "corp/222222222222/", "corp/x"]
        {
            assert!(planned(name).is_err(), "{name}");
        }
        let account = AccountId::parse("222222222222").unwrap();
        let of = |role| SelectedProfile::of_permission_set("corp", &account, role);
        assert_eq!(of("Admin").unwrap().name(), "corp/222222222222/Admin");
        assert!(of("a b").err().unwrap().summary.starts_with("--role-name"));
    }

    #[test]
    fn errors_have_the_line_of_the_profile() {
        assert!(planned("wrong").err().unwrap().summary.contains("config:9: role_arn"));
        let problem = planned("deplyo").err().unwrap();
        assert_eq!(problem.summary, "--profile: there is no profile `deplyo`");
        assert_eq!(problem.hints, ["did you mean `deploy`?"]);
        assert!(planned("").is_err());
    }

    #[test]
    fn programs_that_lead_back_are_circles() {
        for name in ["one", "two"] {
            let problem = planned(name).err().unwrap();
            assert!(problem.summary.contains("config:12: this credential_process leads back to itself: one → one"));
        }
        for name in ["fine", "later"] {
            assert!(planned(name).is_ok(), "{name}: other errors are the program's");
        }
    }
}
