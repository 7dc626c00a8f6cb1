//! The keys of one role, as they are written in the file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::guards::{ChoiceLifetime, Confirm};
use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::duration::Seconds;
use crate::aws::parameters::{ExternalId, MfaSerial, PermissionSet, Region, SessionName, SourceIdentity};
use crate::aws::policy_document::Policy;
use crate::aws::preset::Preset;
use crate::settings::key_names::ROLE_KEYS;

/// The settings of one role. Keys have the same names as in `~/.aws/config`, if they exist there.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleConfig {
    /// AWS profile in `~/.aws/config` or `~/.aws/credentials` that supplies all keys not set here.
    pub profile: Option<String>,
    /// ARN of the role to assume, in any partition. If neither this file nor the profile has one, the shell gets a
    /// session of the source.
    pub role_arn: Option<RoleArn>,
    /// AWS profile whose credentials assume the role.
    pub source_profile: Option<String>,
    /// The `[role.NAME]` of the same file whose session assumes the role (role chaining, at most one hour).
    pub source_role: Option<String>,
    /// Where the credentials that assume the role come from, instead of a `source_profile`: `Environment`,
    /// `Ec2InstanceMetadata` or `EcsContainer`.
    #[cfg_attr(test, schemars(extend("enum" = ["Environment", "Ec2InstanceMetadata", "EcsContainer"])))]
    pub credential_source: Option<String>,
    /// Name of an `[sso-session NAME]` of your own `~/.aws/config`. Together with `sso_account_id` and `sso_role_name`,
    /// a permission set of IAM Identity Center is the source, without a profile.
    pub sso_session: Option<String>,
    /// Account ID of the permission set, 12 digits.
    pub sso_account_id: Option<AccountId>,
    /// Name of the permission set, 1–32 characters: letters, digits and `_+=,.@-`.
    pub sso_role_name: Option<PermissionSet>,
    /// Serial number or ARN of the MFA device, 9–256 characters. Not needed here if the profile has it.
    pub mfa_serial: Option<MfaSerial>,
    /// External ID that the trust policy of the role requires, 2–1224 characters: letters, digits and `_+=,.@:/-`.
    pub external_id: Option<ExternalId>,
    /// Role session name, 2–64 characters: letters, digits and `_+=,.@-`. Default: your login name, which CloudTrail
    /// then shows.
    pub role_session_name: Option<SessionName>,
    /// Source identity, 2–256 characters: letters, digits and `_+=,.@-`, not `aws:…`. It persists across role chaining.
    pub source_identity: Option<SourceIdentity>,
    /// Session duration, a number of seconds or a string such as `"45m"`. A role: 900 (15m) to 43200 (12h), at most the
    /// maximum session duration of the role, and at most 3600 with role chaining. A session without a role: up to
    /// 129600 (36h). Default: one hour for a role, 12 hours for a session without a role.
    pub duration_seconds: Option<Seconds>,
    /// Session tags: at most 50, with keys of 1–128 characters and values of 0–256.
    #[cfg_attr(test, schemars(extend("maxProperties" = 50)))]
    #[cfg_attr(test, schemars(extend("propertyNames" = { "pattern": "^(?![aA][wW][sS]:).{1,128}$" })))]
    #[cfg_attr(test, schemars(extend("additionalProperties" = { "type": "string", "maxLength": 256 })))]
    pub session_tags: Option<BTreeMap<String, String>>,
    /// Keys of `session_tags` that are passed on in role chaining.
    #[cfg_attr(test, schemars(extend("maxItems" = 50)))]
    pub transitive_session_tags: Option<Vec<String>>,
    /// Session policy, a table or a JSON string. The session may do only what both the role, or without one the source,
    /// and this policy allow. At most 2048 characters together with `policy_arns`. See docs/limits.md.
    pub policy: Option<Policy>,
    /// ARNs of managed policies used as session policies, at most 10. Only calls that assume a role send them.
    #[cfg_attr(test, schemars(extend("maxItems" = 10)))]
    #[cfg_attr(test, schemars(inner(regex(pattern = "^arn:.*:policy/"), length(min = 20, max = 2048))))]
    pub policy_arns: Option<Vec<String>>,
    /// Session policy that awsrole ships, instead of `policy` and `policy_arns`: `"read-only"` allows reading, except
    /// for secrets.
    pub preset: Option<Preset>,
    /// AWS region, exported as `AWS_REGION` and `AWS_DEFAULT_REGION`.
    pub region: Option<Region>,
    /// Expected account ID (account pin), 12 digits. Checked against the role ARN before the call and against the
    /// returned credentials after it.
    pub account_id: Option<AccountId>,
    /// If true, `cd` does not assume this role, nor a role that has it as its `source_role`. Run `awsrole use NAME` to
    /// assume it. If it is the default role, the shell is blocked until then.
    pub manual: Option<bool>,
    /// If true, awsrole asks before it assumes this role, with its name and account. If `"account"`, the answer is the
    /// name of the account in your settings or in IAM Identity Center, otherwise its ID. `cd` and `awsrole use` ask on
    /// the terminal. Without a terminal, only `--yes` confirms. The shell is blocked until you confirm. It also applies
    /// to roles that have this one as their `source_role`.
    pub confirm: Option<Confirm>,
    /// How long a shell keeps this role after `awsrole use`, a number of seconds or a string such as `"30m"`, 2m to
    /// 12h. Then the shell returns to the default role. Only in a `[role.NAME]` other than the default role.
    pub expires_after: Option<ChoiceLifetime>,
    /// The `[role.NAME]` of the same file that `awsrole sudo` uses for one command.
    pub elevate: Option<String>,
}

impl RoleConfig {
    /// The names of all keys in the file.
    pub const NAMES: [&str; 24] = ROLE_KEYS;

    /// Returns true if the config sets `source_profile`, `credential_source` or a permission set. If so, the source
    /// settings of the AWS profile are ignored.
    #[must_use]
    pub fn names_source(&self) -> bool {
        self.source_profile.is_some() || self.credential_source.is_some() || self.names_permission_set()
    }

    /// Returns true if the config names a permission set as the source. An `sso_session` without an account and a role
    /// is only a default for the roles of the file, as in a profile.
    #[must_use]
    pub fn names_permission_set(&self) -> bool {
        self.sso_account_id.is_some() || self.sso_role_name.is_some()
    }

    /// Returns these keys, with missing ones taken from `other`.
    pub(super) fn merged_over(self, other: Self) -> Self {
        Self {
            profile: self.profile.or(other.profile),
            role_arn: self.role_arn.or(other.role_arn),
            source_profile: self.source_profile.or(other.source_profile),
            source_role: self.source_role.or(other.source_role),
            credential_source: self.credential_source.or(other.credential_source),
            sso_session: self.sso_session.or(other.sso_session),
            sso_account_id: self.sso_account_id.or(other.sso_account_id),
            sso_role_name: self.sso_role_name.or(other.sso_role_name),
            mfa_serial: self.mfa_serial.or(other.mfa_serial),
            external_id: self.external_id.or(other.external_id),
            role_session_name: self.role_session_name.or(other.role_session_name),
            source_identity: self.source_identity.or(other.source_identity),
            duration_seconds: self.duration_seconds.or(other.duration_seconds),
            session_tags: self.session_tags.or(other.session_tags),
            transitive_session_tags: self.transitive_session_tags.or(other.transitive_session_tags),
            policy: self.policy.or(other.policy),
            policy_arns: self.policy_arns.or(other.policy_arns),
            preset: self.preset.or(other.preset),
            region: self.region.or(other.region),
            account_id: self.account_id.or(other.account_id),
            manual: self.manual.or(other.manual),
            confirm: self.confirm.or(other.confirm),
            expires_after: self.expires_after.or(other.expires_after),
            elevate: self.elevate.or(other.elevate),
        }
    }
}
