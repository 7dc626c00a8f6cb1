//! Returns the sign-in and the permission set of a profile, of the project file, or of an `[sso-session]` section.

use super::{missing, required};
use crate::aws::arn::AccountId;
use crate::aws::endpoint::Service;
use crate::aws::parameters::Region;
use crate::aws::profiles::Profile;
use crate::aws::source::{IdentityCenter, Source, write_session};
use crate::aws::sso_session::section_endpoint;
use crate::base::problem::Problem;
use crate::base::suggest::nearest;
use crate::plan::resolve::{Chain, ChainNode, Resolver};

/// The keys of a project file that name a permission set.
const SSO_KEYS: [&str; 3] = ["sso_session", "sso_account_id", "sso_role_name"];

impl<'p> Resolver<'p> {
    pub(super) fn identity_center(&self, profile: Profile<'p>, chain: &Chain<'p>) -> Result<Source, Problem> {
        let session = profile.text("sso_session");
        let section = match session {
            None => profile,
            Some(name) => self.sso_session(name, &profile.origin("sso_session").to_string())?,
        };
        same_in_both(profile, section, session)?;
        // A key of the profile may be in the `[sso-session]` section instead.
        let of_either = |key| required(profile, if profile.has(key) { profile } else { section }, key);
        let account_id = of_either("sso_account_id")?;
        AccountId::parse(account_id)
            .map_err(|e| Problem::new(format!("{}: sso_account_id {e}", profile.origin("sso_account_id"))))?;
        let role_name = of_either("sso_role_name")?;
        let whose = format!("profile `{}`", profile.name);
        Ok(Source::IdentityCenter(IdentityCenter {
            profile: Some(profile.name.to_owned()),
            account_id: account_id.to_owned(),
            role_name: role_name.to_owned(),
            ..self.sign_in(session, section, &whose, chain)?
        }))
    }

    /// Returns the permission set that the project file names, with the `[sso-session]` of the user's own AWS files.
    pub(in crate::plan::resolve) fn permission_set(
        &self,
        node: &ChainNode<'p>,
        chain: &Chain<'p>,
    ) -> Result<Source, Problem> {
        let keys = &node.keys;
        let (Some(session), Some(account), Some(role)) = (&keys.sso_session, &keys.sso_account_id, &keys.sso_role_name)
        else {
            return Err(self.incomplete_permission_set(node));
        };
        let sign_in = self.sign_in_of_session(session, &self.origin(node, "sso_session").to_string(), chain)?;
        Ok(Source::IdentityCenter(IdentityCenter {
            account_id: account.to_string(),
            role_name: role.as_str().to_owned(),
            ..sign_in
        }))
    }

    /// Returns the error for a file with some of the keys that name a permission set, but not all.
    pub(in crate::plan::resolve) fn incomplete_permission_set(&self, node: &ChainNode<'p>) -> Problem {
        let keys = &node.keys;
        let set = [keys.sso_session.is_some(), keys.sso_account_id.is_some(), keys.sso_role_name.is_some()];
        let (present, missing): (Vec<_>, Vec<_>) = SSO_KEYS.into_iter().zip(set).partition(|(_, is_set)| *is_set);
        let key = present.first().map_or("", |(key, _)| key);
        let missing: Vec<String> = missing.iter().map(|(key, _)| format!("`{key}`")).collect();
        Problem::new(format!("{}: `{key}` needs {}", self.origin(node, key), missing.join(" and ")))
            .hint("a permission set is named by `sso_session`, `sso_account_id` and `sso_role_name` together")
    }

    /// Returns the sign-in of an `[sso-session]` that is named at `at`.
    pub(in crate::plan::resolve) fn sign_in_of_session(
        &self,
        name: &str,
        at: &str,
        chain: &Chain<'p>,
    ) -> Result<IdentityCenter, Problem> {
        let section = self.sso_session(name, at)?;
        self.sign_in(Some(name), section, &format!("[sso-session {name}]"), chain)
    }

    /// Checks that a file that names a permission set names no other source.
    pub(in crate::plan::resolve) fn check_permission_set(&self, node: &ChainNode<'p>) -> Result<(), Problem> {
        let keys = &node.keys;
        let role = node.in_file.as_ref().and_then(Option::as_deref);
        let own = SSO_KEYS.into_iter().find(|key| self.config.sets_itself(role, key));
        let Some(key) = own.or_else(|| keys.names_permission_set().then_some("sso_account_id")) else { return Ok(()) };
        let others = [
            ("profile", keys.profile.is_some()),
            ("source_profile", keys.source_profile.is_some()),
            ("credential_source", keys.credential_source.is_some()),
            ("source_role", keys.source_role.is_some()),
        ];
        match others.into_iter().find(|(_, is_set)| *is_set) {
            None => Ok(()),
            Some((other, _)) => {
                Err(Problem::new(format!("{}: `{key}` and `{other}` exclude each other", self.origin(node, key)))
                    .because(format!("`{other}` at {} names another source", self.origin(node, other)))
                    .hint("keep the one whose credentials make the first call"))
            }
        }
    }

    /// Returns the `[sso-session]` that is named at `at`.
    fn sso_session(&self, name: &str, at: &str) -> Result<Profile<'p>, Problem> {
        self.profiles.sso_session(name).ok_or_else(|| {
            let sessions = self.profiles.sso_sessions();
            let [config, _] = self.profiles.shown(self.context);
            let problem = Problem::new(format!("{at}: there is no [sso-session {name}] in {config}"));
            match nearest(name, sessions.iter().map(|session| session.name)) {
                Some(known) => problem.hint(format!("did you mean `{known}`?")),
                None => problem.hint(write_session(name)),
            }
        })
    }

    /// Returns a sign-in without an account and a permission set. `section` contains its settings, and `whose` names
    /// the section in messages.
    fn sign_in(
        &self,
        session: Option<&str>,
        section: Profile<'p>,
        whose: &str,
        chain: &Chain<'p>,
    ) -> Result<IdentityCenter, Problem> {
        let of_section = |key| section.text(key).ok_or_else(|| missing(whose, section, key));
        let region = Region::parse(of_section("sso_region")?)
            .map_err(|e| Problem::new(format!("{}: sso_region {e}", section.origin("sso_region"))))?;
        let start_url = of_section("sso_start_url")?;
        let endpoint = |service| match chain.profiles.is_empty() {
            true => section_endpoint(service, &region, self.profiles, self.context),
            false => self.endpoint(service, Some(&region), chain),
        };
        Ok(IdentityCenter {
            profile: None,
            session: session.map(str::to_owned),
            portal: endpoint(Service::Sso)?,
            oidc: endpoint(Service::SsoOidc)?,
            token_file: IdentityCenter::token_file(&self.context.paths.home, session, start_url),
            start_url: start_url.to_owned(),
            region,
            account_id: String::new(),
            role_name: String::new(),
        })
    }
}

/// Checks that a profile and its `[sso-session]` have the same values (botocore, `SSOProvider`).
fn same_in_both(profile: Profile<'_>, section: Profile<'_>, session: Option<&str>) -> Result<(), Problem> {
    let Some(session) = session else { return Ok(()) };
    let of_profile = profile.settings();
    let mut of_session = section.settings().into_iter();
    match of_session.find(|(key, value)| of_profile.get(key).is_some_and(|own| own != value)) {
        None => Ok(()),
        Some((key, _)) => {
            Err(Problem::new(format!("{}: `{key}` differs from that of [sso-session {session}]", profile.origin(&key)))
                .because(format!("the other one is in {}", section.origin(&key)))
                .hint("remove it from the profile, which has it from its `sso_session`"))
        }
    }
}
