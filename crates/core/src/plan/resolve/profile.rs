//! Resolves a profile on its own, as another tool would use it: for display, and for calls to IAM in its name.

use super::{Chain, ChainNode, Preview, Resolver};
use crate::aws::endpoint::{self, Endpoint, Service};
use crate::aws::profiles::{Profile, Profiles};
use crate::aws::source::{IdentityCenter, Source};
use crate::base::context::Context;
use crate::base::problem::Problem;
use crate::plan::role_plan::{GetSessionToken, RolePlan, Step};
use crate::project::config::Config;

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

impl<'p> Resolver<'p> {
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
}
