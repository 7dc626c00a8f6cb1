//! Whose credentials come first.

use crate::aws::access_keys::Record;
use crate::aws::profiles::Profile;
use crate::base::context::Paths;
use crate::base::problem::Problem;
use crate::project::config::RoleConfig;

/// Whose credentials make the first call, for keys over a profile without a `source_role`. What a plan takes, and what
/// `allow` shows.
pub(crate) enum InitialSource<'a, 'p> {
    /// Those of another profile.
    Profile(&'a str),
    /// A `credential_source`.
    Source(&'a str),
    /// A profile and a `credential_source`, which exclude each other.
    Both(&'a str),
    /// The profile's own.
    Own(Profile<'p>),
    /// None: the profile has a role of its own, but doesn't say who assumes it.
    RoleAlone(Profile<'p>),
    /// Nobody says.
    Missing,
}

impl<'a, 'p: 'a> InitialSource<'a, 'p> {
    /// What the file says goes before both of a profile's words on it. A profile's `source_profile` is for a role
    /// alone, and no source of a web identity (botocore, AssumeRoleProvider): its own credentials go before. One that
    /// has nothing else and no role gives a session of its `source_profile` all the same, where the AWS CLI would
    /// give up.
    pub(crate) fn of(keys: &'a RoleConfig, profile: Option<Profile<'p>>, paths: &Paths) -> Result<Self, Problem> {
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
