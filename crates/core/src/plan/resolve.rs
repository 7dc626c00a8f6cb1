//! Resolves a role of the project file, or a profile, to a plan: follows it to its source, adds the call of each node,
//! and checks the result.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::aws::arn::AccountId;
use crate::aws::endpoint::{self, Service};
use crate::aws::invalid::OutOfRange;
use crate::aws::parameters::{MfaSerial, Region};
use crate::aws::profiles::{Profile, Profiles};
use crate::aws::source::Source;
use crate::base::context::Context;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::plan::requester::Requester;
use crate::plan::role_plan::{RolePlan, Step};
use crate::plan::{account_pin, guard, partition};
use crate::project::approval::Allowed;
use crate::project::config::{Config, RoleConfig};
use crate::settings::user_config::Organization;

pub(crate) use initial_source::InitialSource;
pub use preview::Preview;
pub use profile::{check_profile, endpoint_of, keys_plan, preview_profile, profile_plan, sign_in_of_session};
pub use selected_profile::SelectedProfile;

/// Plans a role of an allowed config. `None` is the default role, or the one that the file has for agents.
///
/// # Errors
/// Fails for names, profiles and values that are invalid, each with the file and line of the key, for an account other
/// than the pinned one, and for a role that isn't for this requester.
pub fn plan(
    allowed: &Allowed,
    name: Option<&str>,
    profiles: &Profiles,
    context: &Context,
    requester: &Requester,
) -> Result<RolePlan, Problem> {
    let name = requester.role(allowed.config(), name)?;
    let plan = make(allowed.config(), allowed.only_accounts(), name, profiles, context)?;
    requester.limit(plan, &allowed.config().agent)
}

/// Resolves a role of a config that may not be allowed yet, for display. No plan is returned: only an allowed config
/// becomes one.
pub fn preview(
    config: &Config,
    name: Option<&str>,
    profiles: &Profiles,
    context: &Context,
) -> Result<Preview, Problem> {
    make(config, None, name, profiles, context).map(|plan| Preview::of(&plan))
}

fn make(
    config: &Config,
    only: Option<&[AccountId]>,
    name: Option<&str>,
    profiles: &Profiles,
    context: &Context,
) -> Result<RolePlan, Problem> {
    let resolver = Resolver::of(config, profiles, context);
    let node = resolver.node(name)?;
    let name = node.in_file.clone().flatten();
    let mut chain = Chain::default();
    let followed = resolver.follow(&node, &mut name.clone().into_iter().collect(), &mut chain);
    let suspicious_lines = suspicious_lines(profiles, &chain);
    with_suspicious_lines(followed.and_then(|()| resolver.plan(only, &node, name, chain)), suspicious_lines)
}

/// Adds the suspicious lines of a chain to its plan. The intended meaning of such a line may explain an error.
fn with_suspicious_lines(plan: Result<RolePlan, Problem>, lines: Vec<String>) -> Result<RolePlan, Problem> {
    match plan {
        Ok(plan) => Ok(RolePlan { suspicious_lines: lines, ..plan }),
        Err(problem) => Err(lines.into_iter().fold(problem, Problem::because)),
    }
}

/// Returns the suspicious lines in the profiles of a chain.
fn suspicious_lines(profiles: &Profiles, chain: &Chain<'_>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in
        chain.profiles.iter().flat_map(|profile| profiles.warnings_about(profile.name)).map(|odd| odd.to_string())
    {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// The part of the role chain that has been resolved so far.
#[derive(Default)]
struct Chain<'p> {
    /// The profiles found so far, nearest first. Endpoint settings are looked up in this order.
    profiles: Vec<Profile<'p>>,
    source: Option<Source>,
    /// The `mfa_serial` in the profile of the source's keys.
    source_mfa: Option<MfaSerial>,
    steps: Vec<Step>,
    notices: Vec<String>,
    /// The profiles whose programs are awsrole and lead to this chain, the outermost first.
    callers: Vec<&'p str>,
    /// Whether the chain can't be followed because a program leads back to itself.
    is_circular: bool,
}

impl Chain<'_> {
    /// Returns the partition of the first role in the chain.
    fn partition(&self) -> Option<&str> {
        if let Some(Source::WebIdentity(token)) = &self.source {
            return Some(token.role_arn.partition());
        }
        self.steps.iter().find_map(|step| match step {
            Step::AssumeRole(role) => Some(role.role_arn.partition()),
            Step::GetSessionToken(_) | Step::GetScopedCredentials(_) => None,
        })
    }
}

/// One node of a chain with its settings: a role of the project file with its profile, or a profile alone.
struct ChainNode<'p> {
    /// The role's name in the file. The inner `None` is the file's nameless role, the outer `None` is a profile alone.
    in_file: Option<Option<String>>,
    keys: Cow<'p, RoleConfig>,
    profile: Option<Profile<'p>>,
    /// Whether this role's session assumes another role of the file.
    is_intermediate: bool,
}

struct Resolver<'p> {
    config: &'p Config,
    profiles: &'p Profiles,
    context: &'p Context,
    /// The settings of the organization, parsed at first use.
    organization: OnceCell<Option<Organization>>,
}

impl<'p> Resolver<'p> {
    fn of(config: &'p Config, profiles: &'p Profiles, context: &'p Context) -> Self {
        Self { config, profiles, context, organization: OnceCell::new() }
    }

    /// Makes a plan of a completely resolved chain.
    fn plan(
        &self,
        only: Option<&[AccountId]>,
        node: &ChainNode<'p>,
        name: Option<String>,
        chain: Chain<'p>,
    ) -> Result<RolePlan, Problem> {
        let chain = self.with_source_identity(chain)?;
        let partition = chain.partition().map(str::to_owned);
        let Some(source) = chain.source else {
            return Err(Problem::new(format!("{} leads to no credential source", self.origin(node, "role_arn"))));
        };
        let keys = &node.keys;
        let region = self.checked(node, keys.region.as_ref(), "region", Region::parse)?;
        let profiles = chain.profiles;
        let plan = RolePlan {
            endpoint: endpoint::resolve(
                Service::Sts,
                region.as_ref(),
                &profiles,
                self.profiles,
                self.context,
                partition.as_deref(),
            )?,
            settings: self.settings(&profiles, region.as_ref()),
            sign_in: endpoint::sign_in(&profiles, self.profiles, &self.context.env),
            pin: keys.account_id.clone(),
            source_accounts: account_pin::source_accounts(&source, &chain.steps, only),
            protected: Vec::new(),
            name,
            profile: keys.profile.clone(),
            is_selected_profile: false,
            source,
            steps: chain.steps,
            region: region.map(|region| region.without_fips().0),
            notices: chain.notices,
            suspicious_lines: Vec::new(),
            agent: None,
        };
        account_pin::check(&plan, self.config, only)?;
        guard::check(&plan, keys, &self.origin(node, "confirm"))?;
        plan.check_scoped()?;
        partition::check(&plan, profiles.last(), &self.origin(node, "role_arn"))?;
        Ok(plan)
    }

    /// Returns the settings of a chain's profiles as variables. A region name with FIPS becomes one of them, because
    /// not every SDK supports such names.
    fn settings(&self, profiles: &[Profile<'p>], region: Option<&Region>) -> Vec<(Cow<'static, str>, String)> {
        const FIPS: &str = "AWS_USE_FIPS_ENDPOINT";
        let mut variables = endpoint::variables(profiles, self.profiles, self.context);
        if region.is_some_and(|region| region.without_fips().1) {
            variables.retain(|(name, _)| *name != FIPS);
            variables.push((FIPS.into(), "true".to_owned()));
        }
        variables
    }

    /// Returns the node of a `[role.NAME]`, or of the file's nameless role.
    fn node(&self, name: Option<&str>) -> Result<ChainNode<'p>, Problem> {
        let (name, keys) = self.config.select(name)?;
        let at = |key| self.config.origin(name.as_deref(), key);
        let profile = keys.profile.as_deref().map(|name| self.profile(name, &at("profile"))).transpose()?;
        Ok(ChainNode { in_file: Some(name), keys, profile, is_intermediate: false })
    }

    /// Returns the value of a key: from the file, where it was already checked, or from the profile, where it is
    /// checked here.
    fn checked<T: Clone>(
        &self,
        node: &ChainNode<'_>,
        in_file: Option<&T>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, OutOfRange>,
    ) -> Result<Option<T>, Problem> {
        if let Some(value) = in_file {
            return Ok(Some(value.clone()));
        }
        // The AWS CLI sends an empty value unchanged. Only an empty `region` counts as not set.
        if let Some(profile) = node.profile.filter(|p| p.has(key) && p.text(key).is_none() && key != "region") {
            return Err(sources::empty(profile, key));
        }
        node.profile_text(key).map(|text| parse(text).map_err(|e| self.out_of_range(node, key, &e))).transpose()
    }

    fn out_of_range(&self, node: &ChainNode<'_>, key: &str, error: &OutOfRange) -> Problem {
        Problem::new(format!("{}: {key} {error}", self.origin(node, key)))
    }

    /// Returns the location of a key in the file or in the profile. If it isn't set, returns the location of the node.
    fn origin(&self, node: &ChainNode<'_>, key: &str) -> Origin {
        match (&node.in_file, node.profile) {
            (Some(role), Some(profile)) if !self.config.sets(role.as_deref(), key) && profile.has(key) => {
                profile.origin(key)
            }
            (Some(role), _) => self.config.origin(role.as_deref(), key),
            (None, Some(profile)) => profile.origin(key),
            (None, None) => self.config.origin(None, key),
        }
    }
}

impl<'p> ChainNode<'p> {
    /// Creates a node for a profile alone.
    fn of(profile: Option<Profile<'p>>) -> Self {
        Self { in_file: None, keys: Cow::default(), profile, is_intermediate: false }
    }

    fn profile_text(&self, key: &str) -> Option<&'p str> {
        self.profile?.text(key)
    }

    /// Returns whether the source is this profile's web identity token, whose role is already the result of the token.
    fn uses_own_web_identity(&self, source: Option<&Source>) -> bool {
        let own = self.profile.map(|profile| profile.name);
        self.keys.role_arn.is_none()
            && matches!(source, Some(Source::WebIdentity(token)) if Some(token.profile.as_str()) == own)
    }
}

mod carried;
mod follow;
mod initial_source;
mod organization;
mod preview;
mod profile;
mod selected_profile;
mod sources;
mod step;
#[cfg(test)]
pub(crate) mod tests;
