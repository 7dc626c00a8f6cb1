//! `awsrole policy`: prints the policy documents that allow the caller to assume the role.

use awsrole_core::aws::arn::AccountId;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::plan::required_policies::required_policies;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::fetch_caller_arn;
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::export::plan_role;

use crate::report::{CommandError, Outcome};
use awsrole_system::print::out;

pub(super) fn run(
    role: Option<&str>,
    json: bool,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let (outer, allowed, files) = super::common::allowed(None, context, settings)?;
    let role = super::common::role_or_chosen(role, context, &files)?;
    let plan = plan_role(&outer, &allowed, role.as_deref())?;
    if plan.role().is_none() {
        return Err(Problem::new(format!("{} assumes no role, so no policies are needed", plan.title())).into());
    }
    let cache = Cache::open(context, settings.or_default().key);
    let options = ObtainOptions::interactive(context.now);
    let first = super::common::with_providers(&outer, settings, true, |providers| {
        fetch_caller_arn(&plan, &cache, providers, options)
    })?;
    let required_policies = required_policies(&plan, &first);
    if json {
        let value = serde_json::to_value(&required_policies).map_err(|e| Problem::new("no JSON").because(e))?;
        out(&(super::common::pretty(&value)? + "\n"))?;
        return Ok(Outcome::Done);
    }
    let accounts = settings.get()?.accounts.clone();
    let account = |id: &AccountId| format!("account {}", accounts.shown(id));
    let mut text = String::new();
    for pair in &required_policies {
        let callers = pair.caller_account.as_ref().map_or("the caller's account".to_owned(), account);
        text += &format!(
            "# {callers}: identity policy, attached to {}\n{}\n\n",
            escape(&pair.attach_to),
            super::common::pretty(&pair.identity)?
        );
        let roles = account(pair.role_arn.account());
        text += &format!("# {roles}: trust policy of role {}\n", escape(pair.role_arn.name()));
        text += &format!("{}\n\n", super::common::pretty(&pair.trust)?);
        for note in &pair.notes {
            text += &format!("# note: {}\n\n", escape(note));
        }
    }
    out(text.trim_end_matches('\n'))?;
    out("\n")?;
    Ok(Outcome::Done)
}
