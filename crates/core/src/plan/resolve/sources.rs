//! Finds a profile's own credentials, at which every chain ends.

use std::path::PathBuf;
use std::time::Duration;

use super::{Chain, ChainNode, Resolver};
use crate::aws::access_keys::Record;
use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::credentials::is_long_term_key_id;
use crate::aws::endpoint::{self, Endpoint, Service};
use crate::aws::parameters::{MfaSerial, Region};
use crate::aws::profiles::Profile;
use crate::aws::session_policy::SessionPolicy;
use crate::aws::source::{
    ConsoleLogin, IMDS, IdentityCenter, MetadataLimits, Process, Source, StaticKeys, WebIdentity, may_be_key_id,
    of_surroundings, running_programs, write_session,
};
use crate::aws::sso_session::section_endpoint;
use crate::base::digest::sha256;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::base::secret::Secret;
use crate::base::suggest::nearest;
use crate::project::approval;
use crate::project::discover::upward;

/// The number of projects that are followed from one `credential_process` to the next.
const MAX_PROJECTS: usize = 10;

/// The keys of a project file that name a permission set.
const SSO_KEYS: [&str; 3] = ["sso_session", "sso_account_id", "sso_role_name"];

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
            let session = required(profile, profile, "login_session")?;
            Source::ConsoleLogin(ConsoleLogin {
                profile: profile.name.to_owned(),
                session: session.to_owned(),
                endpoint: self.endpoint(Service::SignIn, None, chain)?,
                token_file: ConsoleLogin::token_file(&self.context.paths.home, &self.context.env, session),
            })
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
            let problem =
                Problem::new(format!("{}: profile `{}` has no credentials", profile.origin(""), profile.name));
            if profile.has("credential_source") {
                return Err(problem.because("its `credential_source` is for a role, and it has no `role_arn`").hint(
                    format!(
                        "add a `role_arn` to `{}`, or name the `credential_source` where the role is",
                        profile.name
                    ),
                ));
            }
            if let Some(other) = profile.text("include_profile") {
                return Err(super::of_aws_vault(problem, profile, other));
            }
            return Err(problem.hint(format!(
                "it needs keys (`awsrole keys add {0}`, `aws configure --profile {0}`), a source_profile, sso_session or credential_process",
                profile.name
            )));
        };
        chain.source = Some(source);
        Ok(())
    }

    /// Checks that a program doesn't lead back to the profile that it is for. Otherwise each awsrole would start the
    /// next one.
    ///
    /// A program that calls awsrole for a profile is followed here, so that the error is that of the command itself.
    /// In all other cases the awsrole that the program starts finds the profile in its environment.
    fn check_program(&self, profile: Profile<'p>, chain: &mut Chain<'p>) -> Result<(), Problem> {
        let running = running_programs(&self.context.env);
        let running: Vec<&str> = running.chain(chain.callers.iter().copied()).collect();
        if let Some(first) = running.iter().position(|name| *name == profile.name) {
            chain.is_circular = true;
            return Err(Problem::new(format!(
                "{}: this credential_process leads back to itself: {} → {}",
                profile.origin("credential_process"),
                running[first..].join(" → "),
                profile.name
            ))
            .hint("it runs awsrole for the same profile, or in a directory whose source is that profile"));
        }
        if let Some(problem) = self.circular_project(profile) {
            chain.is_circular = true;
            return Err(problem);
        }
        let Some(called) = profile.called_profile().and_then(|name| self.profiles.get(&name)) else { return Ok(()) };
        let callers = chain.callers.iter().copied().chain([profile.name]).collect();
        let mut inner = Chain { callers, ..Chain::default() };
        match self.follow(&ChainNode::of(Some(called)), &mut Vec::new(), &mut inner) {
            Err(problem) if inner.is_circular => {
                chain.is_circular = true;
                Err(problem)
            }
            // Other errors are those of the program, if it is run at all.
            _ => Ok(()),
        }
    }

    /// Returns the error for a program that calls awsrole for a project whose source is the same profile, possibly by
    /// way of other such profiles.
    fn circular_project(&self, profile: Profile<'p>) -> Option<Problem> {
        let mut at = profile;
        for _ in 0..MAX_PROJECTS {
            let (dir, role) = at.called_project()?;
            let files = upward(&self.context.dir.join(self.context.expand(&dir)));
            let project = approval::Chain::read(&files).ok()?;
            let (role, keys) = project.config().select(role.as_deref()).ok()?;
            let mut named = [("source_profile", keys.source_profile), ("profile", keys.profile)]
                .into_iter()
                .filter_map(|(key, name)| Some((key, name?)));
            let (key, name) = named.next()?;
            if name == profile.name {
                let place = project.config().origin(role.as_deref(), key);
                return Some(
                    Problem::new(format!("{place}: profile `{name}` leads back to itself"))
                        .because(format!("{}: it runs awsrole for a project", profile.origin("credential_process")))
                        .hint("name another profile in the project file, or remove this one"),
                );
            }
            at = self.profiles.get(&name)?;
        }
        None
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

    pub(super) fn credential_source(&self, text: &str, at: &Origin, chain: &Chain<'p>) -> Result<Source, Problem> {
        match text {
            "Ec2InstanceMetadata" => Ok(Source::Instance {
                endpoint: self.metadata_service(chain)?,
                host: (self.context.host)(),
                limits: self.metadata_limits(chain)?,
            }),
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
                        .hint("`credential_source = Environment` uses credentials exported before you entered the directory: they aren't available to commands run inside it"));
                };
                if !may_be_key_id(id) {
                    return Err(no_key_id(at, "AWS_ACCESS_KEY_ID"));
                }
                let token = ["AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"];
                let token = token.into_iter().find(|name| env.filled(name).is_some()).unwrap_or("AWS_SESSION_TOKEN");
                let keys = StaticKeys {
                    holder: "the environment".to_owned(),
                    access_key_id: id.to_owned(),
                    secret_access_key: Secret::new(secret),
                    // The order is that of botocore (`EnvProvider.TOKENS`).
                    session_token: env.filled(token).map(Secret::new),
                };
                reject_token_with(&keys, at, token)?;
                Ok(Source::StaticKeys(keys))
            }
            _ => Err(Problem::new(format!("{at}: credential_source `{text}` isn't one that the AWS CLI knows"))
                .hint("it is Environment, Ec2InstanceMetadata or EcsContainer")),
        }
    }

    /// Returns the endpoint of the instance metadata service, from the environment or from the profiles of the chain
    /// (botocore, `InstanceMetadataFetcher`, `resolve_imds_endpoint_mode`).
    fn metadata_service(&self, chain: &Chain<'p>) -> Result<String, Problem> {
        let said = |variable: &str, key: &str| self.of_metadata(variable, key, chain);
        let mode = said("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
        let mode = match mode {
            None => 0,
            Some((text, _)) if text.eq_ignore_ascii_case("ipv4") => 0,
            Some((text, _)) if text.eq_ignore_ascii_case("ipv6") => 1,
            Some((text, at)) => {
                return Err(
                    Problem::new(format!("{at} `{text}` isn't one that the AWS CLI knows")).hint("it is IPv4 or IPv6")
                );
            }
        };
        match said("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint") {
            None => Ok(IMDS[mode].to_owned()),
            Some((url, _)) if url.starts_with("http://") || url.starts_with("https://") => Ok(url.to_owned()),
            Some((url, at)) => Err(Problem::new(format!("{at} `{url}` isn't a URL"))
                .hint("it must begin with http://, such as http://169.254.169.254")),
        }
    }

    /// Returns the limits of calls to the instance metadata service (botocore, `configprovider.py`).
    fn metadata_limits(&self, chain: &Chain<'p>) -> Result<MetadataLimits, Problem> {
        let number = |variable: &str, key: &str| match self.of_metadata(variable, key, chain) {
            None => Ok(None),
            Some((text, at)) => match text.trim().parse::<u32>() {
                Ok(number @ 1..) => Ok(Some(number)),
                _ => Err(Problem::new(format!("{at} `{text}` isn't a whole number above 0")).hint("such as 5")),
            },
        };
        let timeout = number("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout")?;
        let attempts = number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts")?;
        Ok(MetadataLimits { timeout: timeout.map(|seconds| Duration::from_secs(seconds.into())), attempts })
    }

    /// Returns a setting of the instance metadata service and its place, from the environment or from the profiles of
    /// the chain.
    fn of_metadata<'t>(&'t self, variable: &str, key: &str, chain: &'t Chain<'p>) -> Option<(&'t str, String)> {
        let of_env = self.context.env.filled(variable).map(|text| (text, variable.to_owned()));
        of_env.or_else(|| {
            let profile = chain.profiles.iter().find(|profile| profile.text(key).is_some())?;
            Some((profile.text(key)?, format!("{}: {key}", profile.origin(key))))
        })
    }

    /// Returns the endpoint of a service for a source: in the source's own region, or in that of the chain.
    fn endpoint(&self, service: Service, region: Option<&Region>, chain: &Chain<'p>) -> Result<Endpoint, Problem> {
        endpoint::resolve(service, region, &chain.profiles, self.profiles, self.context, None)
    }

    fn identity_center(&self, profile: Profile<'p>, chain: &Chain<'p>) -> Result<Source, Problem> {
        let session = profile.text("sso_session");
        let section = match session {
            None => profile,
            Some(name) => self.sso_session(name, &profile.origin("sso_session").to_string())?,
        };
        same_in_both(profile, section, session)?;
        // A key of the profile may be in the `[sso-session]` section instead.
        let of_either = |key| required(profile, if profile.has(key) { profile } else { section }, key);
        let account_id = of_either("sso_account_id")?;
        AccountId::parse(account_id)
            .map_err(|e| Problem::new(format!("{}: sso_account_id {e}", profile.origin("sso_account_id"))))?;
        let role_name = of_either("sso_role_name")?;
        let whose = format!("profile `{}`", profile.name);
        Ok(Source::IdentityCenter(IdentityCenter {
            profile: Some(profile.name.to_owned()),
            account_id: account_id.to_owned(),
            role_name: role_name.to_owned(),
            ..self.sign_in(session, section, &whose, chain)?
        }))
    }

    /// Returns the permission set that the project file names, with the `[sso-session]` of the user's own AWS files.
    pub(super) fn permission_set(&self, node: &ChainNode<'p>, chain: &Chain<'p>) -> Result<Source, Problem> {
        let keys = &node.keys;
        let (Some(session), Some(account), Some(role)) = (&keys.sso_session, &keys.sso_account_id, &keys.sso_role_name)
        else {
            let set = [keys.sso_session.is_some(), keys.sso_account_id.is_some(), keys.sso_role_name.is_some()];
            let of = |wanted| SSO_KEYS.into_iter().zip(set).find(|(_, set)| *set == wanted).map_or("", |(key, _)| key);
            return Err(Problem::new(format!("{}: `{}` needs `{}`", self.origin(node, of(true)), of(true), of(false)))
                .hint("a permission set is named by `sso_session`, `sso_account_id` and `sso_role_name` together"));
        };
        let sign_in = self.sign_in_of_session(session, &self.origin(node, "sso_session").to_string(), chain)?;
        Ok(Source::IdentityCenter(IdentityCenter {
            account_id: account.to_string(),
            role_name: role.as_str().to_owned(),
            ..sign_in
        }))
    }

    /// Returns the sign-in of an `[sso-session]` that is named at `at`.
    pub(super) fn sign_in_of_session(
        &self,
        name: &str,
        at: &str,
        chain: &Chain<'p>,
    ) -> Result<IdentityCenter, Problem> {
        let section = self.sso_session(name, at)?;
        self.sign_in(Some(name), section, &format!("[sso-session {name}]"), chain)
    }

    /// Checks that a file that names a permission set names no other source.
    pub(super) fn check_permission_set(&self, node: &ChainNode<'p>) -> Result<(), Problem> {
        let keys = &node.keys;
        let role = node.in_file.as_ref().and_then(Option::as_deref);
        let own = SSO_KEYS.into_iter().find(|key| self.config.sets_itself(role, key));
        let Some(key) = own.or_else(|| keys.names_permission_set().then_some("sso_account_id")) else { return Ok(()) };
        let others = [
            ("profile", keys.profile.is_some()),
            ("source_profile", keys.source_profile.is_some()),
            ("credential_source", keys.credential_source.is_some()),
            ("source_role", keys.source_role.is_some()),
        ];
        match others.into_iter().find(|(_, is_set)| *is_set) {
            None => Ok(()),
            Some((other, _)) => {
                Err(Problem::new(format!("{}: `{key}` and `{other}` exclude each other", self.origin(node, key)))
                    .because(format!("`{other}` at {} names another source", self.origin(node, other)))
                    .hint("keep the one whose credentials make the first call"))
            }
        }
    }

    /// Returns the `[sso-session]` that is named at `at`.
    fn sso_session(&self, name: &str, at: &str) -> Result<Profile<'p>, Problem> {
        self.profiles.sso_session(name).ok_or_else(|| {
            let sessions = self.profiles.sso_sessions();
            let [config, _] = self.profiles.shown(self.context);
            let problem = Problem::new(format!("{at}: there is no [sso-session {name}] in {config}"));
            match nearest(name, sessions.iter().map(|session| session.name)) {
                Some(known) => problem.hint(format!("did you mean `{known}`?")),
                None => problem.hint(write_session(name)),
            }
        })
    }

    /// Returns a sign-in without an account and a permission set. `section` contains its settings, and `whose` names
    /// the section in messages.
    fn sign_in(
        &self,
        session: Option<&str>,
        section: Profile<'p>,
        whose: &str,
        chain: &Chain<'p>,
    ) -> Result<IdentityCenter, Problem> {
        let of_section = |key| section.text(key).ok_or_else(|| missing(whose, section, key));
        let region = Region::parse(of_section("sso_region")?)
            .map_err(|e| Problem::new(format!("{}: sso_region {e}", section.origin("sso_region"))))?;
        let start_url = of_section("sso_start_url")?;
        let endpoint = |service| match chain.profiles.is_empty() {
            true => section_endpoint(service, &region, self.profiles, self.context),
            false => self.endpoint(service, Some(&region), chain),
        };
        Ok(IdentityCenter {
            profile: None,
            session: session.map(str::to_owned),
            portal: endpoint(Service::Sso)?,
            oidc: endpoint(Service::SsoOidc)?,
            token_file: IdentityCenter::token_file(&self.context.paths.home, session, start_url),
            start_url: start_url.to_owned(),
            region,
            account_id: String::new(),
            role_name: String::new(),
        })
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

/// Checks that a profile and its `[sso-session]` have the same values (botocore, `SSOProvider`).
fn same_in_both(profile: Profile<'_>, section: Profile<'_>, session: Option<&str>) -> Result<(), Problem> {
    let Some(session) = session else { return Ok(()) };
    let of_profile = profile.settings();
    let mut of_session = section.settings().into_iter();
    match of_session.find(|(key, value)| of_profile.get(key).is_some_and(|own| own != value)) {
        None => Ok(()),
        Some((key, _)) => {
            Err(Problem::new(format!("{}: `{key}` differs from that of [sso-session {session}]", profile.origin(&key)))
                .because(format!("the other one is in {}", section.origin(&key)))
                .hint("remove it from the profile, which has it from its `sso_session`"))
        }
    }
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
