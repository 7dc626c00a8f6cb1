//! Determines the source of the initial credentials.

use crate::aws::access_keys::Record;
use crate::aws::profiles::Profile;
use crate::base::context::Paths;
use crate::base::problem::Problem;
use crate::project::config::RoleConfig;

/// The source of the initial credentials for a role and a profile without a `source_role`. Used by plans and by the
/// display of `allow`.
pub(crate) enum InitialSource<'a, 'p> {
    /// The credentials of another profile.
    Profile(&'a str),
    /// A `credential_source`.
    Source(&'a str),
    /// A profile and a `credential_source`, which exclude each other.
    Both(&'a str),
    /// The permission set that the file names itself.
    PermissionSet,
    /// The profile's own credentials.
    Own(Profile<'p>),
    /// No source: the profile has a role but doesn't name who assumes it.
    RoleAlone(Profile<'p>),
    /// No source is set.
    Missing,
}

impl<'a, 'p: 'a> InitialSource<'a, 'p> {
    /// Determines the source.
    ///
    /// `.awsrole.toml` overrides the profile. A profile with a web identity token uses its own credentials and ignores
    /// `source_profile`, as botocore does (AssumeRoleProvider). A profile with only a `source_profile` and no role
    /// yields that source's session. The AWS CLI rejects it.
    pub(crate) fn of(keys: &'a RoleConfig, profile: Option<Profile<'p>>, paths: &Paths) -> Result<Self, Problem> {
        if keys.names_permission_set() {
            return Ok(Self::PermissionSet);
        }
        let profile_says = profile.filter(|_| !keys.names_source());
        let of_profile = |key: &str| profile_says.filter(|profile| profile.has(key)).map(|profile| profile.text(key));
        let other = keys.source_profile.as_deref().map(Some).or_else(|| of_profile("source_profile"));
        let source = keys.credential_source.as_deref().map(Some).or_else(|| of_profile("credential_source"));
        if let Some(own) = profile_says {
            let role = keys.role_arn.is_some() || own.has("role_arn");
            if own.has("web_identity_token_file")
                || !role
                    && (other.is_some() || source.is_some())
                    && (own.has_own_source() || Record::load(paths, own.name)?.is_some())
            {
                return Ok(Self::Own(own));
            }
        }
        Ok(match (other, source, profile) {
            (Some(other), Some(_), _) => Self::Both(other.unwrap_or_default()),
            (Some(other), None, _) => Self::Profile(other.unwrap_or_default()),
            (None, Some(source), _) => Self::Source(source.unwrap_or_default()),
            (None, None, Some(profile)) if profile.has("role_arn") => Self::RoleAlone(profile),
            (None, None, Some(profile)) => Self::Own(profile),
            (None, None, None) => Self::Missing,
        })
    }
}
