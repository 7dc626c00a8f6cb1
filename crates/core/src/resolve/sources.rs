//! What a profile has by itself: the ends of all chains.

use std::path::PathBuf;

use super::{Link, Resolver, Way};
use crate::access_keys::Record;
use crate::arn::{AccountId, RoleArn};
use crate::config::Origin;
use crate::credentials::is_long_term_key_id;
use crate::digest::sha256;
use crate::limits::{MfaSerial, Region, SessionPolicy};
use crate::problem::Problem;
use crate::profiles::Profile;
use crate::secret::Secret;
use crate::source::{
    ConsoleLogin, IdentityCenter, Process, Source, StaticKeys, WebIdentity, may_be_key_id, of_surroundings,
    running_programs,
};

impl<'p> Resolver<'p> {
    /// The credentials that a profile has by itself, in the order of the AWS CLI (botocore,
    /// `ProfileProviderBuilder`).
    pub(super) fn own_source(&self, profile: Profile<'p>, way: &mut Way<'p>) -> Result<(), Problem> {
        let link = Link::of(Some(profile));
        way.source_mfa = self.checked(&link, None, "mfa_serial", MfaSerial::parse)?;
        let source = if profile.text("web_identity_token_file").is_some() {
            self.web_identity(&link, profile)?
        } else if profile.text("sso_session").is_some() || profile.text("sso_start_url").is_some() {
            self.identity_center(profile)?
        } else if profile.has_keys_in_credentials_file()
            || profile.has_static_keys()
                && profile.text("login_session").is_none()
                && profile.text("credential_process").is_none()
        {
            let keys = StaticKeys {
                holder: format!("profile {}", profile.name),
                access_key_id: key_id(profile)?,
                secret_access_key: Secret::new(required(profile, profile, "aws_secret_access_key")?),
                session_token: profile.secret("aws_session_token"),
            };
            no_token_beside(&keys, &profile.origin("aws_session_token"), "aws_session_token")?;
            Source::StaticKeys(keys)
        } else if let Some(record) = self.stored_keys(profile)? {
            Source::StoredKeys(record.place())
        } else if let Some(session) = profile.text("login_session") {
            Source::ConsoleLogin(ConsoleLogin {
                profile: profile.name.to_owned(),
                session: session.to_owned(),
                region: self.checked(&link, None, "region", Region::parse)?,
                token_file: ConsoleLogin::token_file(&self.context.paths.home, &self.context.env, session),
            })
        } else if let Some(command) = profile.text("credential_process") {
            let running: Vec<&str> = running_programs(&self.context.env).collect();
            if let Some(first) = running.iter().position(|name| *name == profile.name) {
                return Err(Problem::new(format!(
                    "{}: this credential_process leads back to itself: {} → {}",
                    profile.origin("credential_process"),
                    running[first..].join(" → "),
                    profile.name
                ))
                .hint("it runs awsrole for a directory whose source is the same profile"));
            }
            Source::Process(Process {
                profile: profile.name.to_owned(),
                command: command.to_owned(),
                surroundings: of_surroundings(&self.context.env, &self.context.dir, &(self.context.host)()),
            })
        } else if let Some(source) = profile.text("credential_source") {
            self.credential_source(source, &profile.origin("credential_source"))?
        } else {
            let problem =
                Problem::new(format!("{}: profile `{}` has no credentials", profile.origin(""), profile.name));
            if let Some(other) = profile.text("include_profile") {
                return Err(problem
                    .because("`include_profile` is followed by aws-vault alone, not by the AWS CLI or SDKs")
                    .hint(format!("copy into `{}` what it takes from `{other}`", profile.name)));
            }
            return Err(problem.hint(format!(
                "it needs keys (`awsrole keys add {0}`, `aws configure --profile {0}`), a source_profile, sso_session or credential_process",
                profile.name
            )));
        };
        way.source = Some(source);
        Ok(())
    }

    /// What is known of a profile's keys in a store. Keys that stand in a file go before them, as they do
    /// for every other client, and then nothing is looked up.
    pub(super) fn stored_keys(&self, profile: Profile<'p>) -> Result<Option<Record>, Problem> {
        if profile.has_static_keys() {
            return Ok(None);
        }
        Record::load(&self.context.paths, profile.name)
    }

    pub(super) fn credential_source(&self, text: &str, at: &Origin) -> Result<Source, Problem> {
        match text {
            "Ec2InstanceMetadata" => {
                let endpoint = self.context.env.filled("AWS_EC2_METADATA_SERVICE_ENDPOINT");
                Ok(Source::Instance { endpoint: endpoint.map(str::to_owned), host: (self.context.host)() })
            }
            "EcsContainer" => {
                let parts = ["RELATIVE_URI", "FULL_URI"].map(|name| format!("AWS_CONTAINER_CREDENTIALS_{name}"));
                let tokens = ["TOKEN", "TOKEN_FILE"].map(|name| format!("AWS_CONTAINER_AUTHORIZATION_{name}"));
                let values = parts.iter().chain(&tokens).map(|name| self.context.env.filled(name).unwrap_or_default());
                let host = (self.context.host)();
                let values = values.chain([host.as_str()]);
                let values: Vec<&[u8]> = values.flat_map(|value| [value.as_bytes(), b"\0".as_slice()]).collect();
                let token_file = self.context.env.filled(&tokens[1]).map(PathBuf::from);
                Ok(Source::Container { address: sha256(&values), token_file })
            }
            "Environment" => {
                let env = &self.context.env;
                let (Some(id), Some(secret)) = (env.filled("AWS_ACCESS_KEY_ID"), env.filled("AWS_SECRET_ACCESS_KEY"))
                else {
                    return Err(Problem::new(format!("{at}: the environment has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"))
                        .hint("`credential_source = Environment` takes the keys that the shell had before it entered the directory; a shell or command that was started inside can't see them"));
                };
                if !may_be_key_id(id) {
                    return Err(no_key_id(at, "AWS_ACCESS_KEY_ID"));
                }
                let keys = StaticKeys {
                    holder: "the environment".to_owned(),
                    access_key_id: id.to_owned(),
                    secret_access_key: Secret::new(secret),
                    session_token: env.filled("AWS_SESSION_TOKEN").map(Secret::new),
                };
                no_token_beside(&keys, at, "AWS_SESSION_TOKEN")?;
                Ok(Source::StaticKeys(keys))
            }
            _ => Err(Problem::new(format!("{at}: credential_source `{text}` isn't one that the AWS CLI knows"))
                .hint("it is Environment, Ec2InstanceMetadata or EcsContainer")),
        }
    }

    fn identity_center(&self, profile: Profile<'p>) -> Result<Source, Problem> {
        let session = profile.text("sso_session");
        let section = match session {
            None => profile,
            Some(name) => self.profiles.sso_session(name).ok_or_else(|| {
                Problem::new(format!("{}: there is no [sso-session {name}]", profile.origin("sso_session")))
                    .hint("`aws configure sso-session` writes one")
            })?,
        };
        let region = required(profile, section, "sso_region")?;
        let account_id = required(profile, profile, "sso_account_id")?;
        AccountId::parse(account_id)
            .map_err(|e| Problem::new(format!("{}: sso_account_id {e}", profile.origin("sso_account_id"))))?;
        let start_url = required(profile, section, "sso_start_url")?;
        let env = &self.context.env;
        Ok(Source::IdentityCenter(IdentityCenter {
            profile: profile.name.to_owned(),
            session: session.map(str::to_owned),
            endpoint: env.filled("AWS_ENDPOINT_URL_SSO").or(env.filled("AWS_ENDPOINT_URL")).map(str::to_owned),
            token_file: IdentityCenter::token_file(&self.context.paths.home, session, start_url),
            start_url: start_url.to_owned(),
            region: Region::parse(region)
                .map_err(|e| Problem::new(format!("{}: sso_region {e}", section.origin("sso_region"))))?,
            account_id: account_id.to_owned(),
            role_name: required(profile, profile, "sso_role_name")?.to_owned(),
        }))
    }

    fn web_identity(&self, link: &Link<'p>, profile: Profile<'p>) -> Result<Source, Problem> {
        required(profile, profile, "role_arn")?;
        let role_arn = self.checked(link, None, "role_arn", RoleArn::parse)?;
        let role_arn = role_arn.ok_or_else(|| Problem::new(format!("{}: no role_arn", profile.origin(""))))?;
        Ok(Source::WebIdentity(WebIdentity {
            profile: profile.name.to_owned(),
            token_file: self.context.expand(required(profile, profile, "web_identity_token_file")?),
            role_arn,
            session_name: self.session_name(link)?,
            duration: None,
            policy: SessionPolicy::default(),
        }))
    }
}

/// A key that a profile needs, in the section where it belongs.
fn required<'p>(profile: Profile<'p>, section: Profile<'p>, key: &str) -> Result<&'p str, Problem> {
    section.text(key).ok_or_else(|| {
        Problem::new(format!("{}: profile `{}` has no `{key}`", section.origin(""), profile.name))
            .hint(format!("add `{key} = …` there"))
    })
}

/// A profile's access key id.
fn key_id(profile: Profile<'_>) -> Result<String, Problem> {
    let id = required(profile, profile, "aws_access_key_id")?;
    match may_be_key_id(id) {
        true => Ok(id.to_owned()),
        false => Err(no_key_id(&profile.origin("aws_access_key_id"), "aws_access_key_id")),
    }
}

/// Checks that no session token is left over beside a long-term key. The AWS CLI would send it and be refused, and the key
/// would pass for a temporary one.
fn no_token_beside(keys: &StaticKeys, at: &Origin, name: &str) -> Result<(), Problem> {
    if keys.session_token.is_none() || !is_long_term_key_id(&keys.access_key_id) {
        return Ok(());
    }
    Err(Problem::new(format!("{at}: {name} is set beside a long-term access key (AKIA…)"))
        .because("a session token belongs to a temporary key (ASIA…) alone; AWS refuses the two together")
        .hint(format!("remove {name}, which temporary keys left behind; or put their id and secret back beside it")))
}

fn no_key_id(at: &Origin, name: &str) -> Problem {
    Problem::new(format!("{at}: {name} isn't an access key id (AKIA…)"))
        .hint("is it the secret? the two may stand in each other's place")
}
