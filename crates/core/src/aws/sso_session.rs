//! What a user signs in to: an `[sso-session NAME]`, or the start URL of a profile in the legacy format.

mod section;

use std::fmt::{Display, Write as _};
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use sha1::{Digest, Sha1};

use crate::aws::endpoint::{self, Endpoint, Service};
use crate::aws::parameters::Region;
use crate::aws::profiles::{Profile, Profiles};
use crate::aws::source::IdentityCenter;
use crate::base::context::Context;
use crate::base::problem::Problem;
use crate::base::suggest::suggestion;

pub use section::NewSession;

/// The scope of a sign-in for which none is configured: access to the portal (AWS CLI, `_AUTH_GRANT_DEFAULT_SCOPE`).
const DEFAULT_SCOPE: &str = "sso:account:access";

/// A sign-in to IAM Identity Center. Its token serves every account and role of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoSession {
    /// The `[sso-session NAME]`. `None` for a profile in the legacy format.
    pub name: Option<String>,
    /// The start URL.
    pub start_url: String,
    /// The region of IAM Identity Center.
    pub region: Region,
    /// `sso_registration_scopes`, if it is set.
    configured_scopes: Option<Vec<String>>,
    /// The endpoint that issues tokens.
    pub oidc: Endpoint,
    /// The endpoint of the access portal.
    pub portal: Endpoint,
    /// The token file of the AWS CLI.
    pub token_file: PathBuf,
}

impl SsoSession {
    /// Returns the session of a section.
    ///
    /// Its endpoints are those of the profile that the AWS CLI uses by default, because a section has none of its own.
    ///
    /// # Errors
    /// Fails if there is no such section, or if it has no valid start URL and region.
    pub fn named(name: &str, profiles: &Profiles, context: &Context) -> Result<Self, Problem> {
        let section = profiles.sso_session(name).ok_or_else(|| no_session(name, profiles, context))?;
        let required = |key: &str| {
            section.text(key).ok_or_else(|| {
                Problem::new(format!("{}: [sso-session {name}] has no `{key}`", section.origin("")))
                    .hint(format!("add `{key} = …` there"))
            })
        };
        let start_url = required("sso_start_url")?.to_owned();
        let region = Region::parse(required("sso_region")?)
            .map_err(|e| Problem::new(format!("{}: sso_region {e}", section.origin("sso_region"))))?;
        Self::at(name, start_url, region, scopes(&section), profiles, context)
    }

    /// Returns the session of a section with these values.
    fn at(
        name: &str,
        start_url: String,
        region: Region,
        configured_scopes: Option<Vec<String>>,
        profiles: &Profiles,
        context: &Context,
    ) -> Result<Self, Problem> {
        let endpoint = |service| section_endpoint(service, &region, profiles, context);
        Ok(Self {
            name: Some(name.to_owned()),
            configured_scopes,
            oidc: endpoint(Service::SsoOidc)?,
            portal: endpoint(Service::Sso)?,
            token_file: IdentityCenter::token_file(&context.paths.home, Some(name), &start_url),
            start_url,
            region,
        })
    }

    /// Returns the session that provides a role.
    #[must_use]
    pub fn of_role(role: &IdentityCenter, profiles: &Profiles) -> Self {
        let section = role.session.as_deref().and_then(|name| profiles.sso_session(name));
        Self {
            name: role.session.clone(),
            start_url: role.start_url.clone(),
            region: role.region.clone(),
            configured_scopes: section.as_ref().and_then(scopes),
            oidc: role.oidc.clone(),
            portal: role.portal.clone(),
            token_file: role.token_file.clone(),
        }
    }

    /// Returns the name of the session for messages, or its start URL if it has none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.start_url)
    }

    /// Returns the error of a failed sign-in.
    pub fn failure(&self, why: impl Display) -> Problem {
        Problem::new(format!("cannot sign in at {}", self.start_url)).because(why)
    }

    /// Returns the scopes that a sign-in requests.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        self.configured_scopes.clone().unwrap_or_else(|| vec![DEFAULT_SCOPE.to_owned()])
    }

    /// Returns the AWS CLI's file for the registration of its client (botocore, `_registration_cache_key`).
    ///
    /// Its name is the SHA-1 of what a registration is for, in the JSON of Python's `json.dumps`.
    #[must_use]
    pub fn registration_file(&self) -> PathBuf {
        let scopes = self.configured_scopes.as_ref().map_or_else(
            || "null".to_owned(),
            |scopes| format!("[{}]", scopes.iter().map(|scope| python_json(scope)).collect::<Vec<_>>().join(", ")),
        );
        let key = format!(
            r#"{{"region": {}, "scopes": {scopes}, "session_name": {}, "startUrl": {}, "tool": "botocore"}}"#,
            python_json(self.region.as_str()),
            self.name.as_deref().map_or_else(|| "null".to_owned(), python_json),
            python_json(&self.start_url)
        );
        self.token_file.with_file_name(HEXLOWER.encode(&Sha1::digest(key.as_bytes())) + ".json")
    }
}

/// Resolves the endpoint of an `[sso-session]` that no profile refers to. A section has no endpoint settings of its
/// own, so those of the profile apply that the AWS CLI uses by default.
///
/// # Errors
/// As [`endpoint::resolve`].
pub(crate) fn section_endpoint(
    service: Service,
    region: &Region,
    profiles: &Profiles,
    context: &Context,
) -> Result<Endpoint, Problem> {
    let profile = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]
        .into_iter()
        .find_map(|name| context.env.filled(name))
        .unwrap_or("default");
    endpoint::resolve(service, Some(region), profiles.get(profile).as_slice(), profiles, context, None)
}

/// Returns the configured scopes (AWS CLI, `parse_sso_registration_scopes`).
fn scopes(section: &Profile<'_>) -> Option<Vec<String>> {
    let text = section.text("sso_registration_scopes")?;
    Some(text.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
}

fn no_session(name: &str, profiles: &Profiles, context: &Context) -> Problem {
    let all = profiles.sso_sessions();
    let names: Vec<&str> = all.iter().map(|section| section.name).collect();
    let [config, _] = profiles.shown(context);
    let problem = Problem::new(format!("{config} has no [sso-session {name}]"));
    match names.as_slice() {
        [] => problem.hint(format!("`awsrole login --start-url URL --region REGION {name}` writes one")),
        _ => problem.hint(suggestion(name, "the existing sessions are", &names)),
    }
}

/// Formats a string as Python's `json.dumps` does, which escapes everything but printable ASCII.
fn python_json(text: &str) -> String {
    let mut escaped = String::new();
    for c in serde_json::Value::from(text).to_string().chars() {
        if (' '..='~').contains(&c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string can't fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::tests::home;

    const CONFIG: &str = "\
[default]
ca_bundle = /ca.pem
[sso-session corp]
sso_start_url = https://corp.example.com/start
sso_region = eu-central-1
sso_registration_scopes = sso:account:access, codecatalyst:read_write
[sso-session größe]
sso_start_url = https://d-1234567890.awsapps.com/start
sso_region = us-east-1
[sso-session half]
sso_start_url = https://x.example.com
";

    fn named(name: &str) -> Result<SsoSession, Problem> {
        let (_home, context) = home(CONFIG, "");
        SsoSession::named(name, &Profiles::load(&context).unwrap(), &context)
    }

    /// The expected names were computed in Python with the code of the AWS CLI (`_registration_cache_key`).
    #[test]
    fn files_have_the_names_that_botocore_gives_them() {
        let name = |session: &SsoSession| session.registration_file().file_name().unwrap().to_str().unwrap().to_owned();
        let corp = named("corp").unwrap();
        assert_eq!(name(&corp), "979a8f4b3115fe2c41cb2bcf70c0ecb867e9165e.json");
        assert_eq!(corp.scopes(), ["sso:account:access", "codecatalyst:read_write"]);
        assert_eq!(corp.registration_file().parent(), corp.token_file.parent());
        assert_eq!(corp.oidc.ca_bundle.unwrap().path, PathBuf::from("/ca.pem"));
        let other = named("größe").unwrap();
        assert_eq!(name(&other), "be991026be8ad4e33e050f0f973de14773812d12.json");
        assert_eq!(other.scopes(), ["sso:account:access"]);
    }

    #[test]
    fn errors_name_the_section_that_is_missing_or_incomplete() {
        let problem = named("crop").unwrap_err();
        assert!(problem.summary.ends_with("config has no [sso-session crop]"), "{}", problem.summary);
        assert_eq!(problem.hints, ["did you mean `corp`?"]);
        assert!(named("half").unwrap_err().summary.ends_with("config:10: [sso-session half] has no `sso_region`"));
    }
}
