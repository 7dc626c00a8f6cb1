//! Where the first credentials of a plan come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha1::{Digest, Sha1};

use crate::aws::access_keys::KeyRef;
use crate::aws::arn::RoleArn;
use crate::aws::credentials::{Credentials, is_long_term_key_id};
use crate::aws::endpoint::Endpoint;
use crate::aws::parameters::{Region, SessionDuration, SessionName, SessionPolicy};
use crate::base::context::Env;
use crate::base::digest::sha256;
use crate::base::problem::Problem;
use crate::base::secret::Secret;

/// The addresses of EC2's metadata service, by IPv4 and by IPv6 (Amazon EC2 User Guide, "Access instance metadata").
pub const IMDS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

pub use identity::{SHELL_BOOKKEEPING, of_surroundings};

/// A source, with all that is needed to ask it and nothing that was asked yet.
pub enum Source {
    /// Keys that stand in a profile, or in the environment.
    StaticKeys(StaticKeys),
    /// Long-lived keys in a store of secrets.
    StoredKeys(KeyRef),
    /// A program that a profile names.
    Process(Process),
    /// IAM Identity Center, by the token that `aws sso login` or `awsrole login` left.
    IdentityCenter(IdentityCenter),
    /// The instance's role, from EC2's metadata service (IMDSv2).
    Instance {
        /// The service's address: a profile or the environment may name another one than [`IMDS`].
        endpoint: String,
        /// The machine: the same address is another service on each
        /// ([`Context::host`](crate::base::context::Context::host)).
        host: String,
    },
    /// The task's or pod's role, from the address in AWS_CONTAINER_CREDENTIALS_….
    Container {
        /// A digest of the address, of the token in the environment and of the host: each container has its own.
        address: String,
        /// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE. Its path is the same in every pod, and who bears it is in the token.
        token_file: Option<PathBuf>,
    },
    /// A token of an OIDC provider in a file, as in CI.
    WebIdentity(WebIdentity),
    /// A console session that `aws login` opened.
    ConsoleLogin(ConsoleLogin),
}

/// Keys as they are written somewhere.
pub struct StaticKeys {
    /// Who holds them, for messages: `profile jump`.
    pub holder: String,
    /// `AKIA…`, or `ASIA…` with a session token.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// Present if the keys are temporary.
    pub session_token: Option<Secret>,
}

impl StaticKeys {
    /// Long-lived keys whose secret a store gave.
    #[must_use]
    pub fn long_term(place: &KeyRef, secret_access_key: Secret) -> Self {
        Self {
            holder: format!("profile {}", place.profile),
            access_key_id: place.access_key_id.clone(),
            secret_access_key,
            session_token: None,
        }
    }

    /// The keys as credentials: when they expire, and who they are, nobody said.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            issued: SystemTime::UNIX_EPOCH,
            expiration: None,
            arn: None,
        }
    }
}

/// Whether a text may be an access key's id (IAM API Reference, "AccessKey": word characters; twenty today, where a
/// secret has forty). What can't be one is likely the secret in its place, and isn't shown.
#[must_use]
pub fn may_be_key_id(text: &str) -> bool {
    text.len() < 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A `credential_process`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// The profile.
    pub profile: String,
    /// The command line, as it is written.
    pub command: String,
    /// [`of_surroundings`]: for whom it answers may depend on anything that it finds around it.
    pub surroundings: String,
}

/// A role in IAM Identity Center.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityCenter {
    /// The profile.
    pub profile: String,
    /// The `[sso-session NAME]`; none for a profile of the old form.
    pub session: Option<String>,
    /// Where one signs in.
    pub start_url: String,
    /// Identity Center's own region.
    pub region: Region,
    /// The account.
    pub account_id: String,
    /// The permission set.
    pub role_name: String,
    /// Where the access portal is.
    pub portal: Endpoint,
    /// Where tokens are renewed. The token that comes of it is part of the identity.
    #[serde(skip)]
    pub oidc: Endpoint,
    /// The token that `aws sso login` or `awsrole login` left. It is read whenever a session is looked up: after a
    /// sign-out none is served. Not the path identifies the sign-in, but what is in the file.
    #[serde(skip)]
    pub token_file: PathBuf,
}

impl IdentityCenter {
    /// Returns the AWS CLI's file for a session's token (botocore, `tokens.py`): named by the SHA-1 of the session's
    /// name, or of the start URL where there is none.
    #[must_use]
    pub fn token_file(home: &Path, session: Option<&str>, start_url: &str) -> PathBuf {
        let digest = Sha1::digest(session.unwrap_or(start_url).as_bytes());
        home.join(".aws/sso/cache").join(HEXLOWER.encode(&digest) + ".json")
    }
}

/// A console session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsoleLogin {
    /// The profile.
    pub profile: String,
    /// The ARN of who signed in.
    pub session: String,
    /// Where AWS Sign-In is; the region that the token names takes precedence.
    pub endpoint: Endpoint,
    /// The token that `aws login` left; read as [`IdentityCenter::token_file`] is.
    #[serde(skip)]
    pub token_file: PathBuf,
}

impl ConsoleLogin {
    /// Returns the AWS CLI's file for a console session's token: named by the SHA-256 of the session's ARN, in
    /// AWS_LOGIN_CACHE_DIRECTORY or below the home directory (aws-config 1.13, `login/cache.rs`).
    #[must_use]
    pub fn token_file(home: &Path, env: &Env, session: &str) -> PathBuf {
        let dir = env.text("AWS_LOGIN_CACHE_DIRECTORY").map_or_else(|| home.join(".aws/login/cache"), PathBuf::from);
        dir.join(sha256(&[session.trim().as_bytes()]) + ".json")
    }
}

/// A token in a file, and the role that it opens: all that AssumeRoleWithWebIdentity sends but the token itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WebIdentity {
    /// The profile.
    pub profile: String,
    /// The file; it is read at every call, because others renew it.
    pub token_file: PathBuf,
    /// The role.
    pub role_arn: RoleArn,
    /// The session's name.
    pub session_name: SessionName,
    /// How long it shall last; STS's default is an hour.
    pub duration: Option<SessionDuration>,
    /// Policies that narrow the session.
    pub policy: SessionPolicy,
}

/// Set in the environment of a `credential_process`, so that an awsrole in it doesn't start it again: the
/// profiles whose programs are running, the outermost first, each on a line.
pub const IN_PROCESS: &str = "AWSROLE_IN_CREDENTIAL_PROCESS";

/// The profiles whose programs this process runs in.
pub fn running_programs(env: &Env) -> impl Iterator<Item = &str> {
    env.filled(IN_PROCESS).into_iter().flat_map(str::lines)
}

impl Process {
    /// What [`IN_PROCESS`] is in the program's environment.
    #[must_use]
    pub fn running(&self, env: &Env) -> String {
        running_programs(env).chain([self.profile.as_str()]).collect::<Vec<_>>().join("\n")
    }
}

/// Asks sources. A trait because here the outside answers.
pub trait Sources {
    /// The credentials of a source that isn't keys: those in a store are asked of
    /// [`crate::aws::access_keys::AccessKeyStores`], and the session of a web identity of
    /// [`crate::session::sts::Sts`].
    ///
    /// # Errors
    /// What is wrong, in a person's words, with the address or command that was tried.
    fn credentials(&self, source: &Source) -> Result<Credentials, Problem>;
}

impl Source {
    /// Whether the keys never expire: such are never exported.
    #[must_use]
    pub fn is_long_term(&self) -> bool {
        match self {
            Self::StaticKeys(keys) => keys.session_token.is_none() || is_long_term_key_id(&keys.access_key_id),
            Self::StoredKeys(_) => true,
            _ => false,
        }
    }

    /// Whether STS may take a code from them: what a process gives may be long-term keys.
    #[must_use]
    pub fn may_use_mfa(&self) -> bool {
        self.is_long_term() || matches!(self, Self::Process(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaticKeys(keys) => f.write_str(&keys.holder),
            Self::StoredKeys(place) => write!(f, "profile {} (keys in {})", place.profile, place.store),
            Self::Process(process) => write!(f, "profile {} (credential_process)", process.profile),
            Self::IdentityCenter(role) => write!(f, "profile {} (IAM Identity Center)", role.profile),
            Self::Instance { .. } => f.write_str("EC2 instance metadata"),
            Self::Container { .. } => f.write_str("container credentials"),
            Self::ConsoleLogin(login) => write!(f, "profile {} (aws login)", login.profile),
            Self::WebIdentity(token) => write!(f, "profile {} (web identity)", token.profile),
        }
    }
}

mod identity;
