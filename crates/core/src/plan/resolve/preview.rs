//! What a plan amounts to, for a person who is about to allow the file.

use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::source::Source;
use crate::plan::account_pin;
use crate::plan::role_plan::{RolePlan, Step};

/// A role as it would be entered, as far as the user's files tell it. It can't be carried out.
pub struct Preview {
    /// What the role is called.
    pub title: String,
    /// Where the first credentials come from.
    pub source: String,
    /// The permission set, if the source is IAM Identity Center.
    pub permission_set: Option<String>,
    /// The source's account, where the user's files tell it.
    pub source_account: Option<AccountId>,
    /// The roles that are assumed one after the other, the one that is entered last.
    pub roles: Vec<RoleArn>,
    /// The role whose session the result is.
    pub role_arn: Option<RoleArn>,
    /// The account of the result.
    pub account: Option<AccountId>,
    /// The device whose code is asked for.
    pub mfa: Option<String>,
}

impl Preview {
    pub(super) fn of(plan: &RolePlan) -> Self {
        let roles = plan.steps.iter().filter_map(|step| match step {
            Step::AssumeRole(role) => Some(role.role_arn.clone()),
            Step::GetSessionToken(_) => None,
        });
        let permission_set = match &plan.source {
            Source::IdentityCenter(role) => Some(role.role_name.clone()),
            _ => None,
        };
        Self {
            title: plan.title(),
            source: plan.source.to_string(),
            permission_set,
            source_account: account_pin::source_account(&plan.source),
            roles: roles.collect(),
            role_arn: plan.role_arn().cloned(),
            account: plan.account(),
            mfa: plan.steps.iter().find_map(Step::mfa_serial).map(|serial| serial.as_str().to_owned()),
        }
    }
}
