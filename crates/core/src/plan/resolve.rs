//! Follows keys and profiles to a source by the rules of the AWS CLI (botocore, `credentials.py`,
//! `AssumeRoleProvider`). The project file takes precedence over the profiles.

use std::cell::OnceCell;

use crate::aws::arn::AccountId;
use crate::aws::endpoint::{self, Endpoint, Service};
use crate::aws::invalid::OutOfRange;
use crate::aws::parameters::{MfaSerial, Region};
use crate::aws::profiles::{Profile, Profiles};
use crate::aws::source::{IdentityCenter, Source};
use crate::base::context::Context;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::base::suggest::nearest;
use crate::plan::requester::Requester;
use crate::plan::role_plan::{GetSessionToken, RolePlan, Step};
use crate::plan::{account_pin, guard, partition};
use crate::project::approval::Allowed;
use crate::project::config::{Config, RoleConfig};
use crate::settings::user_config::Organization;

pub(crate) use first::InitialSource;
pub use preview::Preview;
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

/// Checks whether a profile on its own leads to a source. No plan is made, because no file was allowed.
pub fn check_profile(profiles: &Profiles, context: &Context, name: &str) -> Result<(), Problem> {
    let config = Config::default();
    let resolver = Resolver::of(&config, profiles, context);
    let profile = profiles.get(name);
    resolver.follow(&ChainNode::of(profile), &mut Vec::new(), &mut Chain::default())
}

/// Returns the sign-in of an `[sso-session NAME]`, without an account and a permission set. `at` is where the name is
/// from, for messages.
///
/// # Errors
/// Fails if there is no such section, or if it has no valid start URL and region.
pub fn sign_in_of_session(
    profiles: &Profiles,
    context: &Context,
    name: &str,
    at: &str,
) -> Result<IdentityCenter, Problem> {
    let config = Config::default();
    let resolver = Resolver::of(&config, profiles, context);
    resolver.sign_in_of_session(name, at, &Chain::default())
}

/// Plans calls to IAM that are made with a profile's own keys. Also returns the endpoint of IAM.
///
/// The plan has a GetSessionToken only if it includes an MFA code, because IAM rejects sessions without MFA.
pub fn keys_plan(profiles: &Profiles, context: &Context, name: &str) -> Result<(RolePlan, Endpoint), Problem> {
    let config = Config::default();
    let resolver = Resolver::of(&config, profiles, context);
    let profile = profiles.get(name).ok_or_else(|| resolver.no_profile(name, ""))?;
    let mut chain = Chain { profiles: vec![profile], ..Chain::default() };
    resolver.own_source(profile, &mut chain)?;
    if let Some(serial) = chain.source_mfa.clone().filter(|_| chain.source.as_ref().is_some_and(Source::may_use_mfa)) {
        chain.steps.push(Step::GetSessionToken(GetSessionToken {
            duration: None,
            mfa_serial: Some(serial),
            required: Vec::new(),
        }));
    }
    resolver.plan_for_profile(chain)
}

/// Resolves a profile on its own, as another tool would use it, for display.
pub fn preview_profile(profiles: &Profiles, context: &Context, name: &str) -> Result<Preview, Problem> {
    profile_plan(profiles, context, name).map(|(plan, _)| Preview::of(&plan))
}

/// Returns the STS endpoint for a profile on its own.
pub fn endpoint_of(profiles: &Profiles, context: &Context, name: &str) -> Result<Endpoint, Problem> {
    let profile: Vec<Profile<'_>> = profiles.get(name).into_iter().collect();
    endpoint::resolve(Service::Sts, None, &profile, profiles, context, None)
}

/// Plans the credentials of a profile on its own, for IAM calls made as that profile. Also returns the endpoint of IAM.
pub fn profile_plan(profiles: &Profiles, context: &Context, name: &str) -> Result<(RolePlan, Endpoint), Problem> {
    let config = Config::default();
    let resolver = Resolver::of(&config, profiles, context);
    let profile = profiles.get(name).ok_or_else(|| resolver.no_profile(name, ""))?;
    let mut chain = Chain::default();
    resolver.follow(&ChainNode::of(Some(profile)), &mut Vec::new(), &mut chain)?;
    chain.steps.retain(|step| !matches!(step, Step::GetSessionToken(session) if session.mfa_serial.is_none()));
    resolver.plan_for_profile(chain)
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
    keys: RoleConfig,
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
        let (settings, env) = (chain.profiles, &self.context.env);
        let of_source = settings.last().copied();
        let mut variables = endpoint::variables(&settings, self.profiles, self.context);
        // Not every SDK supports these region names.
        let named_fips = region.as_ref().is_some_and(|region| region.without_fips().1);
        let fips = "AWS_USE_FIPS_ENDPOINT";
        if named_fips {
            variables.retain(|(name, _)| *name != fips);
            variables.push((fips.into(), "true".to_owned()));
        }
        let plan = RolePlan {
            endpoint: endpoint::resolve(
                Service::Sts,
                region.as_ref(),
                &settings,
                self.profiles,
                self.context,
                partition.as_deref(),
            )?,
            settings: variables,
            sign_in: endpoint::sign_in(&settings, self.profiles, env),
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
        partition::check(&plan, of_source.as_ref(), &self.origin(node, "role_arn"))?;
        Ok(plan)
    }

    /// Returns the node of a `[role.NAME]`, or of the file's nameless role.
    fn node(&self, name: Option<&str>) -> Result<ChainNode<'p>, Problem> {
        let (name, keys) = self.config.select(name)?;
        let at = |key| self.config.origin(name.as_deref(), key);
        let profile = keys.profile.as_deref().map(|name| self.profile(name, &at("profile"))).transpose()?;
        Ok(ChainNode { in_file: Some(name), keys, profile, is_intermediate: false })
    }

    /// Follows a node to its source, then adds the node's own call.
    fn follow(&self, node: &ChainNode<'p>, visited: &mut Vec<String>, chain: &mut Chain<'p>) -> Result<(), Problem> {
        chain.profiles.extend(node.profile);
        let keys = &node.keys;
        self.check_permission_set(node)?;
        if let Some(role) = &keys.source_role {
            self.source_role(node, role, visited, chain)?;
            return self.last_step(node, chain);
        }
        match InitialSource::of(keys, node.profile, &self.context.paths)? {
            InitialSource::Both(_) => return Err(two_sources(&self.origin(node, "credential_source"))),
            InitialSource::RoleAlone(profile) => return Err(role_alone(profile)),
            InitialSource::Source(source) => {
                chain.source = Some(self.credential_source(source, &self.origin(node, "credential_source"), chain)?);
            }
            InitialSource::Profile(name) => {
                if let Some(profile) = node.profile.filter(|_| name.is_empty()) {
                    return Err(sources::empty(profile, "source_profile"));
                }
                let nearer = node.profile.filter(|_| !keys.names_source());
                let mut visited: Vec<&str> = nearer.map(|profile| profile.name).into_iter().collect();
                self.source_profile(name, &self.origin(node, "source_profile"), &mut visited, chain)?;
            }
            InitialSource::PermissionSet => chain.source = Some(self.permission_set(node, chain)?),
            InitialSource::Own(profile) => self.own_source(profile, chain)?,
            InitialSource::Missing => return Err(self.missing_source_error(node)),
        }
        self.last_step(node, chain)
    }

    /// Returns the error that neither the file nor a profile names a source.
    fn missing_source_error(&self, node: &ChainNode<'p>) -> Problem {
        let keys = &node.keys;
        let at = self.origin(node, "role_arn");
        let names: Vec<&str> = self.config.role_names().collect();
        if keys.role_arn.is_none() && node.in_file == Some(None) && !names.is_empty() {
            let what = if names.len() == 1 { "no default role" } else { "several roles but no default role" };
            return Problem::new(format!("{at} has {what}"))
                .because(format!("the roles here are: {}", names.join(", ")))
                .hint(format!(
                    "add `default_role = \"{}\"` above the tables, or choose one with `awsrole use`",
                    names[0]
                ));
        }
        let missing =
            if keys.role_arn.is_some() { "which credentials assume the role" } else { "which role to assume" };
        Problem::new(format!("{at} doesn't say {missing}"))
            .hint("set `source_profile` to a profile of ~/.aws/config, or `profile` if that profile has all settings")
    }

    /// Follows another role of the same file, whose session makes the next call.
    fn source_role(
        &self,
        node: &ChainNode<'p>,
        role: &str,
        visited: &mut Vec<String>,
        chain: &mut Chain<'p>,
    ) -> Result<(), Problem> {
        let at = self.origin(node, "source_role");
        if node.keys.names_source() {
            return Err(Problem::new(format!("{at}: `source_role` and another source exclude each other")));
        }
        if node.keys.role_arn.is_none() && node.profile_text("role_arn").is_none() {
            return Err(Problem::new(format!("{at}: a role with a `source_role` needs a `role_arn`")));
        }
        visited.push(role.to_owned());
        if visited[..visited.len() - 1].iter().any(|seen| seen == role) {
            return Err(Problem::new(format!("{at}: `source_role` leads in a circle: {}", visited.join(" → "))));
        }
        self.follow(&ChainNode { is_intermediate: true, ..self.node(Some(role))? }, visited, chain)
    }

    /// Follows a source profile as the AWS CLI does (botocore, `_resolve_credentials_from_profile`).
    ///
    /// A profile with static keys, without a role, or with a web identity token provides its own credentials. Any other
    /// profile provides its role, and only its `source_profile` or `credential_source` determines who assumes it.
    fn source_profile(
        &self,
        name: &str,
        origin: &Origin,
        visited: &mut Vec<&'p str>,
        chain: &mut Chain<'p>,
    ) -> Result<(), Problem> {
        let profile = self.profile(name, origin)?;
        let has_keys = profile.has_static_keys() || self.stored_keys(profile)?.is_some();
        // A profile may name itself as the source, to use its own keys.
        let itself = visited.last() == Some(&profile.name);
        let circle = visited.contains(&profile.name) && !(itself && has_keys);
        visited.push(profile.name);
        if circle {
            return Err(Problem::new(format!("{origin}: `source_profile` leads in a circle: {}", visited.join(" → ")))
                .hint("the last profile of a chain needs credentials of its own"));
        }
        chain.profiles.push(profile);
        if has_keys || !profile.has("role_arn") || profile.has("web_identity_token_file") {
            return self.own_source(profile, chain);
        }
        match (profile.has("source_profile"), profile.has("credential_source")) {
            (true, true) => return Err(two_sources(&profile.origin("credential_source"))),
            (false, false) => return Err(role_alone(profile)),
            (true, false) => {
                let source = sources::required(profile, profile, "source_profile")?;
                self.source_profile(source, &profile.origin("source_profile"), visited, chain)?;
            }
            (false, true) => {
                let source = profile.text("credential_source").unwrap_or_default();
                chain.source = Some(self.credential_source(source, &profile.origin("credential_source"), chain)?);
            }
        }
        self.last_step(&ChainNode::of(Some(profile)), chain)
    }

    fn profile(&self, name: &str, origin: &Origin) -> Result<Profile<'p>, Problem> {
        self.profiles.get(name).ok_or_else(|| self.no_profile(name, &format!("{origin}: ")))
    }

    fn no_profile(&self, name: &str, origin: &str) -> Problem {
        let [config, credentials] = self.profiles.shown(self.context);
        let problem = Problem::new(format!("{origin}there is no profile `{name}`"))
            .because(format!("neither {config} nor {credentials} has it"));
        if let Some(meant) = self.profiles.almost(name) {
            return problem.because(meant);
        }
        if name.starts_with(['"', '\'']) {
            return problem.hint("in the AWS files quotes are part of the value: write the name without them");
        }
        match nearest(name, self.profiles.names().into_iter()) {
            Some(known) => problem.hint(format!("did you mean `{known}`?")),
            None => problem.hint("`aws configure list-profiles` lists the existing profiles"),
        }
    }

    /// Makes a plan of a chain that contains no project file.
    fn plan_for_profile(&self, chain: Chain<'p>) -> Result<(RolePlan, Endpoint), Problem> {
        let chain = self.with_source_identity(chain)?;
        let partition = chain.partition().map(str::to_owned);
        let endpoint = |service| {
            endpoint::resolve(service, None, &chain.profiles, self.profiles, self.context, partition.as_deref())
        };
        let [sts, iam] = [endpoint(Service::Sts)?, endpoint(Service::Iam)?];
        let source = chain.source.ok_or_else(|| Problem::new("the profile leads to no credential source"))?;
        let plan = RolePlan {
            name: None,
            profile: None,
            is_selected_profile: true,
            source,
            steps: chain.steps,
            endpoint: sts,
            region: None,
            pin: None,
            source_accounts: None,
            protected: Vec::new(),
            settings: Vec::new(),
            sign_in: None,
            notices: chain.notices,
            suspicious_lines: Vec::new(),
            agent: None,
        };
        Ok((plan, iam))
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
        Self { in_file: None, keys: RoleConfig::default(), profile, is_intermediate: false }
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

/// Adds a cause for a profile that relies on settings that only aws-vault inherits.
fn of_aws_vault(problem: Problem, profile: Profile<'_>, other: &str) -> Problem {
    problem
        .because("only aws-vault supports `include_profile`, not the AWS CLI or SDKs")
        .hint(format!("copy the settings of `{other}` into `{}`", profile.name))
}

/// Returns the error for a role with two sources.
fn two_sources(at: &Origin) -> Problem {
    Problem::new(format!("{at}: `source_profile` and `credential_source` exclude each other"))
        .hint("keep the one whose credentials make the first call")
}

/// Returns the error for a role in a profile that doesn't name its source. The AWS CLI ignores the profile's other
/// credentials.
fn role_alone(profile: Profile<'_>) -> Problem {
    let (at, name) = (profile.origin("role_arn"), profile.name);
    let problem = Problem::new(format!(
        "{at}: profile `{name}` has a role, but neither `source_profile` nor `credential_source`"
    ));
    if let Some(other) = profile.text("include_profile") {
        return of_aws_vault(problem, profile, other);
    }
    problem.hint(match profile.has_own_source() {
        true => format!(
            "if its own credentials assume the role: `source_profile = {name}`, with keys, or another profile for them"
        ),
        false => "name the profile whose credentials assume the role with `source_profile`".to_owned(),
    })
}

mod carried;
mod first;
mod organization;
mod preview;
mod selected_profile;
mod sources;
mod step;
#[cfg(test)]
pub(crate) mod tests;
