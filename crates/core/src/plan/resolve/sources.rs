//! Finds a profile's own credentials, at which every chain ends.

use super::follow::of_aws_vault;
use super::{Chain, ChainNode, Resolver};
use crate::aws::access_keys::Record;
use crate::aws::arn::RoleArn;
use crate::aws::credentials::is_long_term_key_id;
use crate::aws::endpoint::{self, Endpoint, Service};
use crate::aws::parameters::{MfaSerial, Region};
use crate::aws::profiles::Profile;
use crate::aws::session_policy::SessionPolicy;
use crate::aws::source::{ConsoleLogin, Process, Source, StaticKeys, WebIdentity, may_be_key_id, of_surroundings};
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::base::secret::Secret;

impl<'p> Resolver<'p> {
    /// Sets the profile's own credentials as the source, in the AWS CLI's order of precedence (botocore,
    /// `ProfileProviderBuilder`).
    pub(super) fn own_source(&self, profile: Profile<'p>, chain: &mut Chain<'p>) -> Result<(), Problem> {
        let node = ChainNode::of(Some(profile));
        chain.source_mfa = self.checked(&node, None, "mfa_serial", MfaSerial::parse)?;
        let with_key = |file: Option<Profile<'p>>| file.filter(|file| file.has("aws_access_key_id"));
        let source = if profile.has("web_identity_token_file") {
            self.web_identity(&node, profile)?
        } else if profile.is_identity_center() {
            self.identity_center(profile, chain)?
        } else if let Some(file) = with_key(profile.in_credentials_file()) {
            static_keys(profile, file)?
        } else if let Some(record) = self.stored_keys(profile)? {
            Source::StoredKeys(record.place())
        } else if profile.has("login_session") {
            self.console_login(profile, chain)?
        } else if profile.has("credential_process") {
            self.check_program(profile, chain)?;
            // botocore splits the command into words, so a newline is white space.
            let command = required(profile, profile, "credential_process")?.replace('\n', " ");
            Source::Process(Process {
                profile: profile.name.to_owned(),
                command,
                surroundings: of_surroundings(&self.context.env, &self.context.dir, &(self.context.host)()),
            })
        } else if profile.has_static_keys() {
            static_keys(profile, profile.in_config_file().filter(|file| file.has_static_keys()).unwrap_or(profile))?
        } else if profile.has("sso_session") || profile.has("sso_start_url") {
            // This returns the error about the missing settings.
            self.identity_center(profile, chain)?
        } else {
            return Err(no_credentials(profile));
        };
        chain.source = Some(source);
        Ok(())
    }

    fn console_login(&self, profile: Profile<'p>, chain: &Chain<'p>) -> Result<Source, Problem> {
        let session = required(profile, profile, "login_session")?;
        Ok(Source::ConsoleLogin(ConsoleLogin {
            profile: profile.name.to_owned(),
            session: session.to_owned(),
            endpoint: self.endpoint(Service::SignIn, None, chain)?,
            token_file: ConsoleLogin::token_file(&self.context.paths.home, &self.context.env, session),
        }))
    }

    /// Returns the record of a profile's keys in a store.
    ///
    /// Keys in a file take precedence, as they do for every other client. In that case the record isn't read.
    pub(super) fn stored_keys(&self, profile: Profile<'p>) -> Result<Option<Record>, Problem> {
        if profile.has_static_keys() {
            return Ok(None);
        }
        Record::load(&self.context.paths, profile.name)
    }

    /// Returns the endpoint of a service for a source: in the source's own region, or in that of the chain.
    fn endpoint(&self, service: Service, region: Option<&Region>, chain: &Chain<'p>) -> Result<Endpoint, Problem> {
        endpoint::resolve(service, region, &chain.profiles, self.profiles, self.context, None)
    }

    fn web_identity(&self, node: &ChainNode<'p>, profile: Profile<'p>) -> Result<Source, Problem> {
        required(profile, profile, "role_arn")?;
        let role_arn = self.checked(node, None, "role_arn", RoleArn::parse)?;
        let role_arn = role_arn.ok_or_else(|| Problem::new(format!("{}: no role_arn", profile.origin(""))))?;
        Ok(Source::WebIdentity(WebIdentity {
            profile: profile.name.to_owned(),
            token_file: self.context.expand(required(profile, profile, "web_identity_token_file")?),
            role_arn,
            session_name: self.session_name(node)?,
            duration: None,
            policy: SessionPolicy::default(),
        }))
    }
}

/// Returns a profile's keys from one of the two files. The AWS CLI never combines parts of both.
fn static_keys(profile: Profile<'_>, file: Profile<'_>) -> Result<Source, Problem> {
    let id = required(profile, file, "aws_access_key_id")?;
    if !may_be_key_id(id) {
        return Err(no_key_id(&file.origin("aws_access_key_id"), "aws_access_key_id"));
    }
    let keys = StaticKeys {
        holder: format!("profile {}", profile.name),
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new(required(profile, file, "aws_secret_access_key")?),
        session_token: file.session_token(),
    };
    let token = ["aws_security_token", "aws_session_token"].into_iter().find(|key| file.has(key));
    let token = token.unwrap_or("aws_session_token");
    reject_token_with(&keys, &file.origin(token), token)?;
    Ok(Source::StaticKeys(keys))
}

/// Returns the error for a profile without credentials.
fn no_credentials(profile: Profile<'_>) -> Problem {
    let (at, name) = (profile.origin(""), profile.name);
    let problem = Problem::new(format!("{at}: profile `{name}` has no credentials"));
    if profile.has("credential_source") {
        return problem
            .because("its `credential_source` is for a role, and it has no `role_arn`")
            .hint(format!("add a `role_arn` to `{name}`, or name the `credential_source` where the role is"));
    }
    if let Some(other) = profile.text("include_profile") {
        return of_aws_vault(problem, profile, other);
    }
    problem.hint(format!(
        "it needs keys (`awsrole keys add {name}`, `aws configure --profile {name}`), a source_profile, sso_session or credential_process"
    ))
}

/// Returns the error for a key without a value, which differs from a missing key in the AWS CLI.
pub(super) fn empty(section: Profile<'_>, key: &str) -> Problem {
    Problem::new(format!("{}: `{key}` is empty", section.origin(key))).hint("give it a value, or remove the line")
}

/// Returns a required key from the section that it belongs to.
pub(super) fn required<'p>(profile: Profile<'p>, section: Profile<'p>, key: &str) -> Result<&'p str, Problem> {
    section.text(key).ok_or_else(|| missing(&format!("profile `{}`", profile.name), section, key))
}

/// Returns the error for a required key that is missing or empty. `whose` names the profile or section.
fn missing(whose: &str, section: Profile<'_>, key: &str) -> Problem {
    match section.has(key) {
        true => empty(section, key),
        false => Problem::new(format!("{}: {whose} has no `{key}`", section.origin("")))
            .hint(format!("add `{key} = …` there")),
    }
}

/// Checks that no outdated session token accompanies a long-lived key. The AWS CLI would send it and fail, and the key
/// would be mistaken for a temporary one.
fn reject_token_with(keys: &StaticKeys, at: &Origin, name: &str) -> Result<(), Problem> {
    if keys.session_token.is_none() || !is_long_term_key_id(&keys.access_key_id) {
        return Ok(());
    }
    Err(Problem::new(format!("{at}: {name} is set with a long-lived access key (AKIA…)"))
        .because("a session token belongs to a temporary key (ASIA…): AWS rejects it with any other key")
        .hint(format!("remove {name} if it is left from temporary keys, or restore their ID and secret")))
}

fn no_key_id(at: &Origin, name: &str) -> Problem {
    Problem::new(format!("{at}: {name} isn't an access key ID (AKIA…)")).hint("ID and secret may be swapped")
}

mod credential_source;
mod identity_center;
mod program;
