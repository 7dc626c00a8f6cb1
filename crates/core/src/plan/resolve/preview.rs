//! A summary of a plan for a user who is about to allow the file.

use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::source::Source;
use crate::plan::account_pin;
use crate::plan::role_plan::{RolePlan, Step};

/// A role as it would be entered, as far as the user's files describe it. It can't be executed.
pub struct Preview {
    /// The role's display name.
    pub title: String,
    /// The source of the initial credentials.
    pub source: String,
    /// The permission set, if the source is IAM Identity Center.
    pub permission_set: Option<String>,
    /// The source's account, if the user's files contain it.
    pub source_account: Option<AccountId>,
    /// The roles of the chain, in order. The last one is the role that is entered.
    pub roles: Vec<RoleArn>,
    /// The role of the resulting session.
    pub role_arn: Option<RoleArn>,
    /// The account of the resulting session.
    pub account: Option<AccountId>,
    /// The MFA device whose code is required.
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
