//! A summary of a plan for a user who is about to allow the file.

use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::source::Source;
use crate::plan::account_pin;
use crate::plan::role_plan::{RolePlan, Step};

/// A role as it would be assumed, as far as the user's files describe it. It can't be executed.
pub struct Preview {
    /// The role's display name.
    pub title: String,
    /// The source of the initial credentials.
    pub source: String,
    /// What identifies the source: two profiles may have the same keys.
    source_key: String,
    /// The permission set, if the source is IAM Identity Center.
    pub permission_set: Option<String>,
    /// The source's account, if the user's files contain it.
    pub source_account: Option<AccountId>,
    /// The roles of the chain, in order. The last one is the role of the resulting session.
    pub roles: Vec<RoleArn>,
    /// The role of the resulting session.
    pub role_arn: Option<RoleArn>,
    /// The account of the resulting session.
    pub account: Option<AccountId>,
    /// The account that the resulting session will belong to, as the role, the pin or the source says it.
    pub expected_account: Option<AccountId>,
    /// The region that is exported.
    pub region: Option<String>,
    /// The MFA device whose code is required.
    pub mfa: Option<String>,
}

impl Preview {
    /// Returns whether another role has the same identity: the same role, or the same source without a role.
    pub(crate) fn is_same_identity(&self, other: &Self) -> bool {
        match (&self.role_arn, &other.role_arn) {
            (Some(own), Some(other)) => own == other,
            (None, None) => {
                let account = |preview: &Self| (preview.permission_set.clone(), preview.source_account.clone());
                match &self.permission_set {
                    Some(_) => account(self) == account(other),
                    None => self.source_key == other.source_key,
                }
            }
            _ => false,
        }
    }

    /// Returns the accounts to which the role leads, that of the resulting session first.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.expected_account.iter().chain(self.roles.iter().map(RoleArn::account))
    }

    pub(super) fn of(plan: &RolePlan) -> Self {
        let permission_set = match &plan.source {
            Source::IdentityCenter(role) => Some(role.role_name.clone()),
            _ => None,
        };
        let source_key = match &plan.source {
            Source::StaticKeys(keys) => keys.access_key_id.clone(),
            source => source.to_string(),
        };
        Self {
            source_key,
            title: plan.title(),
            source: plan.source.to_string(),
            permission_set,
            source_account: account_pin::source_account(&plan.source),
            roles: plan.roles().map(|role| role.role_arn.clone()).collect(),
            role_arn: plan.role_arn().cloned(),
            account: plan.account(),
            expected_account: account_pin::expected_account(plan),
            region: plan.region.as_ref().map(|region| region.as_str().to_owned()),
            mfa: plan.steps.iter().find_map(Step::mfa_serial).map(|serial| serial.as_str().to_owned()),
        }
    }
}
