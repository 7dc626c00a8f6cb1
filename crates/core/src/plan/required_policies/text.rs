//! Formats the policies as text for a user who adds them in the console.

use serde_json::Value;

use super::Pair;
use crate::aws::arn::AccountId;
use crate::base::problem::{Problem, escape, escape_json};
use crate::settings::accounts::Accounts;

/// Returns the policies as text. Each is a complete policy document below a heading with the account and the principal
/// or role that it belongs to. The lines above the document say where to add it.
///
/// A document must be added to an existing policy, not replace it: that policy may have other statements, and
/// conditions that awsrole can't know.
///
/// # Errors
/// Fails for a value that JSON can't represent.
pub fn to_text(pairs: &[Pair], accounts: &Accounts) -> Result<String, Problem> {
    let account = |id: Option<&AccountId>| match id {
        Some(id) => format!("account {}", accounts.shown(id)),
        None => "the caller's account".to_owned(),
    };
    let mut blocks = Vec::new();
    for pair in pairs {
        let attach_to = escape(&pair.attach_to);
        let callers = account(pair.caller_account.as_ref());
        if let Some(identity) = &pair.identity {
            blocks.push(add_in(&permissions_tab(&pair.attach_to)));
            blocks.push(document(&format!("{callers}: identity policy, attached to {attach_to}"), identity)?);
        }
        if let Some(boundary) = &pair.boundary {
            blocks.push(add_in("IAM console: Policies, the policy that is the boundary, tab \"Permissions\""));
            blocks.push(document(&format!("{callers}: permissions boundary of {attach_to}"), boundary)?);
        }
        if let (Some(trust), Some(role_arn)) = (&pair.trust, &pair.role_arn) {
            let role = escape(role_arn.name());
            if pair.is_without_mfa {
                blocks.push(format!(
                    "If role {role} requires MFA, don't add this: it lets {attach_to} in without MFA. Set mfa_serial instead"
                ));
            }
            blocks.push(add_in(&format!("IAM console: Roles, {role}, tab \"Trust relationships\"")));
            let roles = account(Some(role_arn.account()));
            blocks.push(document(&format!("{roles}: trust policy of role {role}"), trust)?);
        }
        blocks.extend(pair.notes.iter().map(|note| format!("# note: {}", escape(note))));
    }
    Ok(blocks.join("\n\n") + "\n")
}

fn add_in(tab: &str) -> String {
    format!("{tab}: add this statement to the existing policy, don't replace it")
}

fn document(heading: &str, policy: &Value) -> Result<String, Problem> {
    let json = serde_json::to_string_pretty(policy).map_err(|e| Problem::new("no JSON").because(e))?;
    Ok(format!("# {heading}\n{}", escape_json(&json)))
}

/// Returns the tab with the policies of a principal.
fn permissions_tab(attach_to: &str) -> String {
    match attach_to.split_once(' ') {
        Some(("user", name)) => format!("IAM console: Users, {}, tab \"Permissions\"", escape(name)),
        Some(("role", name)) => format!("IAM console: Roles, {}, tab \"Permissions\"", escape(name)),
        Some(("permission", set)) => format!(
            "IAM Identity Center console: Permission sets, {}, tab \"Permissions\"",
            escape(set.trim_start_matches("set "))
        ),
        _ => "IAM console: the caller, tab \"Permissions\"".to_owned(),
    }
}
