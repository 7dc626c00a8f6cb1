//! `awsrole revoke`: prints or attaches the policy that denies all sessions issued until now.

use awsrole_core::aws::arn::{RoleArn, account_of};
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::source::Source;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::plan::resolve::profile_plan;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::{fetch_caller_arn, obtain_unexported};
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::session::revocation::{POLICY_NAME, RevocationTarget, cutoff, policy};
use awsrole_core::session::sts::{Sts, StsError};
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::export::plan_role;
use awsrole_core::shell::generation;
use awsrole_core::shell::state::OuterEnv;
use awsrole_sts::Iam;
use serde_json::json;

use crate::report::{CommandError, Outcome};
use awsrole_system::print::{out, print_notice};

/// The options of the command.
pub(super) struct RevokeOptions {
    pub(super) role: Option<String>,
    pub(super) user: Option<String>,
    pub(super) admin: Option<String>,
    pub(super) json: bool,
}

pub(super) fn run(wanted: &RevokeOptions, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let (principal, plan) = principal(wanted, context, settings)?;
    principal.may_be_revoked()?;
    match &wanted.admin {
        Some(admin) => apply(&principal, plan.as_ref(), admin, context, settings),
        None => print(&principal, wanted.json, context),
    }
}

/// Returns the principal whose sessions are revoked, and this directory's plan if it determines the principal.
fn principal(
    wanted: &RevokeOptions,
    context: &Context,
    settings: &Settings,
) -> Result<(RevocationTarget, Option<RolePlan>), CommandError> {
    match (&wanted.role, &wanted.user) {
        (_, Some(user)) => return Ok((RevocationTarget::user(user)?, None)),
        (Some(arn), None) if arn.starts_with("arn:") => {
            let arn = RoleArn::parse(arn).map_err(|e| Problem::new(format!("--role {e}")))?;
            return Ok((RevocationTarget::Role(arn), None));
        }
        _ => {}
    }
    let (outer, allowed, files) = super::common::allowed(None, context, settings)?;
    let role = super::common::role_or_chosen(wanted.role.as_deref(), context, &files)?;
    let plan = plan_role(&outer, settings, &allowed, role.as_deref())?;
    let principal = match (plan.role_arn(), &plan.source) {
        (Some(arn), _) => RevocationTarget::Role(arn.clone()),
        (None, Source::IdentityCenter(role)) => {
            // The role's full name has a suffix that only the account knows.
            let arn = format!("arn:aws:iam::{}:role/AWSReservedSSO_{}", role.account_id, role.role_name);
            RevocationTarget::Role(RoleArn::parse(&arn).map_err(|e| Problem::new(format!("the role {e}")))?)
        }
        (None, _) => {
            let cache = Cache::open(context, settings.or_default().key);
            let options = ObtainOptions::interactive(context.now);
            let arn = super::providers::with_providers(&outer, settings, true, |providers| {
                fetch_caller_arn(&plan, &cache, providers, options)
            })?;
            RevocationTarget::of_caller(&arn)
                .ok_or_else(|| Problem::new(format!("{arn} is neither a role's session nor a user")))?
        }
    };
    Ok((principal, Some(plan)))
}

fn print(principal: &RevocationTarget, as_json: bool, context: &Context) -> Result<Outcome, CommandError> {
    let document = policy(cutoff(context.now));
    let account = principal.account().map(ToString::to_string);
    if as_json {
        let value =
            json!({"account": account, "attach_to": principal.shown(), "policy_name": POLICY_NAME, "policy": document});
        out(&(super::common::pretty(&value)? + "\n"))?;
        return Ok(Outcome::Done);
    }
    let account = account.map_or("the user's account".to_owned(), |account| format!("account {account}"));
    out(&format!(
        "# {account}: inline policy {POLICY_NAME} of {}\n{}\n\n# note: {UNAFFECTED}\n# note: the time is this machine's; `--apply --profile ADMIN` uses AWS's and attaches the policy\n",
        escape(&principal.shown()),
        super::common::pretty(&document)?
    ))?;
    Ok(Outcome::Done)
}

/// The sessions that such a policy doesn't affect.
const UNAFFECTED: &str = "sessions of other roles that were assumed from these stay valid, so revoke those roles, too";

fn apply(
    principal: &RevocationTarget,
    plan: Option<&RolePlan>,
    admin: &str,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let (way, endpoint) = profile_plan(&Profiles::load(&outer)?, &outer, admin)?;
    let cache = Cache::open(context, settings.or_default().key);
    let (account, before) = super::providers::with_remote_and_providers(&outer, settings, true, |sts, providers| {
        let holder = obtain_unexported(&way, &cache, providers, ObtainOptions::interactive(context.now))?;
        let arn = sts.caller_arn(&holder, &way.endpoint).map_err(|error| refused(admin, principal, error))?;
        let account = account_of(&arn);
        if let (Some(own), Some(wanted)) = (&account, principal.account())
            && own != wanted
        {
            return Err(Problem::new(format!(
                "profile {admin} is in account {own}, but {} is in {wanted}",
                principal.shown()
            ))
            .fact("profile", format!("{admin} is {arn}"))
            .hint(format!("name a profile that may call iam:{} in {wanted}", action(principal)))
            .into());
        }
        // AWS evaluates the policy with its own clock.
        let before = cutoff(sts.server_time().unwrap_or(context.now));
        let document = policy(before).to_string();
        let iam = Iam { remote: sts, caller: &holder, endpoint: &endpoint };
        let put = match principal {
            RevocationTarget::Role(arn) => iam.put_role_policy(arn.name(), POLICY_NAME, &document),
            RevocationTarget::User { name, .. } => iam.put_user_policy(name, POLICY_NAME, &document),
        };
        put.map_err(|error| refused(admin, principal, error))?;
        Ok::<_, CommandError>((account, before))
    })?;
    let meant = principal.clone().within(account.clone());
    let account = account.map(|account| format!(" in account {account}")).unwrap_or_default();
    let time = awsrole_core::aws::time::rfc3339(before);
    print_notice(format!(
        "attached {POLICY_NAME} to {}{account}: sessions issued before {time} are denied all actions",
        principal.shown()
    ));
    print_notice(UNAFFECTED);
    forget(&meant, plan, &cache, context)?;
    Ok(Outcome::Done)
}

/// Removes the cached sessions that are revoked, as `logout` does.
fn forget(
    principal: &RevocationTarget,
    plan: Option<&RolePlan>,
    cache: &Cache,
    context: &Context,
) -> Result<(), Problem> {
    let mut count = 0;
    // The credentials of a source don't contain the principal. For this directory's source it was determined above.
    if let (RevocationTarget::User { .. }, Some(plan)) = (principal, plan) {
        cache
            .log_out(&cache.keys(plan).session(plan.steps.len()), context.now)
            .map_err(|e| super::common::file_problem(&e))?;
        count += 1;
    }
    count += cache
        .log_out_where(context.now, |entry| principal.may_be_of(entry))
        .map_err(|e| super::common::file_problem(&e))?;
    generation::bump(&context.paths, context.now).map_err(|e| super::common::file_problem(&e))?;
    print_notice(format!(
        "removed {count} cached {}: `awsrole refresh` fetches a new one, which the policy doesn't affect",
        if count == 1 { "session" } else { "sessions" }
    ));
    Ok(())
}

fn action(principal: &RevocationTarget) -> &'static str {
    match principal {
        RevocationTarget::Role(_) => "PutRolePolicy",
        RevocationTarget::User { .. } => "PutUserPolicy",
    }
}

fn refused(admin: &str, principal: &RevocationTarget, error: StsError) -> CommandError {
    let action = action(principal);
    let code = match &error {
        StsError::Refused { code, .. } => code.clone(),
        _ => String::new(),
    };
    let problem = Problem::new(format!("nothing was revoked: {action} on {} failed", principal.shown())).because(error);
    CommandError::aws(match code.as_str() {
        "AccessDenied" => problem.hint(format!("profile {admin} needs the permission iam:{action} on it, or omit --apply to print the policy for an administrator")),
        "InvalidClientTokenId" => problem.hint(format!("IAM rejects sessions without MFA: set `mfa_serial` in profile {admin}, or use another profile")),
        "NoSuchEntity" => problem.hint("is the name right, and is it in this account?"),
        "UnmodifiableEntity" => problem.hint("only AWS can change that role's policies"),
        _ => problem.hint("run it again: the policy is attached completely or not at all"),
    })
}
