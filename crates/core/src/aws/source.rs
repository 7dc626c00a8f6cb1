//! Sources of a plan's initial credentials.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha1::{Digest, Sha1};

use crate::aws::access_keys::KeyRef;
use crate::aws::arn::RoleArn;
use crate::aws::credentials::{Credentials, is_long_term_key_id};
use crate::aws::endpoint::Endpoint;
use crate::aws::parameters::{Region, SessionDuration, SessionName};
use crate::aws::session_policy::SessionPolicy;
use crate::base::context::Env;
use crate::base::digest::sha256;
use crate::base::problem::Problem;
use crate::base::secret::Secret;

/// The IPv4 and IPv6 endpoints of EC2's instance metadata service (Amazon EC2 User Guide, "Access instance metadata").
pub const IMDS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

pub use claims::Claims;
pub use identity::{SHELL_BOOKKEEPING, of_surroundings};

/// Returns the hint that tells how to write an `[sso-session]`.
pub(crate) fn write_session(name: &str) -> String {
    format!("`awsrole login --start-url URL --region REGION {name}` writes it, as `aws configure sso-session` does")
}

/// A credential source, with everything that is needed to fetch credentials from it.
pub enum Source {
    /// Keys in a profile or in the environment.
    StaticKeys(StaticKeys),
    /// Long-lived keys in a secret store.
    StoredKeys(KeyRef),
    /// A profile's `credential_process`.
    Process(Process),
    /// IAM Identity Center, with the token of `aws sso login` or `awsrole login`.
    IdentityCenter(IdentityCenter),
    /// The role of the EC2 instance, from the instance metadata service (IMDSv2).
    Instance {
        /// The endpoint of the service. A profile or the environment may replace [`IMDS`].
        endpoint: String,
        /// The host, because the same address is a different service on each
        /// ([`Context::host`](crate::base::context::Context::host)).
        host: String,
        /// How long to wait for the service. It doesn't identify the source.
        limits: MetadataLimits,
    },
    /// The role of the task or pod, from the endpoint in AWS_CONTAINER_CREDENTIALS_….
    Container {
        /// A digest of the endpoint, of the token in the environment and of the host, which is different in each
        /// container.
        address: String,
        /// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE. Its path is the same in every pod. The token in it identifies the
        /// bearer.
        token_file: Option<PathBuf>,
    },
    /// An OIDC token in a file, as in CI.
    WebIdentity(WebIdentity),
    /// A console session of `aws login` or `awsrole login`.
    ConsoleLogin(ConsoleLogin),
}

/// Limits of the calls to the instance metadata service that the user's settings name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MetadataLimits {
    /// The timeout of a connection and of a response.
    pub timeout: Option<Duration>,
    /// The number of attempts.
    pub attempts: Option<u32>,
}

/// Keys in plain text.
pub struct StaticKeys {
    /// The name of the holder for messages: `profile jump`.
    pub holder: String,
    /// `AKIA…`, or `ASIA…` with a session token.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// Present if the keys are temporary.
    pub session_token: Option<Secret>,
}

impl StaticKeys {
    /// Creates long-lived keys from a secret that a store returned.
    #[must_use]
    pub fn long_term(place: &KeyRef, secret_access_key: Secret) -> Self {
        Self {
            holder: format!("profile {}", place.profile),
            access_key_id: place.access_key_id.clone(),
            secret_access_key,
            session_token: None,
        }
    }

    /// Converts the keys to [`Credentials`] without expiration and ARN.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            issued: SystemTime::UNIX_EPOCH,
            expiration: None,
            size_percent: None,
            arn: None,
        }
    }
}

/// Returns whether a text may be an access key ID (IAM API Reference, "AccessKey": word characters).
///
/// IDs have 20 characters today and secrets have 40. An invalid text is probably the secret and isn't shown.
#[must_use]
pub fn may_be_key_id(text: &str) -> bool {
    text.len() < 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A `credential_process`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// The profile.
    pub profile: String,
    /// The command line, as configured.
    pub command: String,
    /// The digest from [`of_surroundings`]. The credentials may depend on anything in the program's environment.
    pub surroundings: String,
}

/// A role in IAM Identity Center.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityCenter {
    /// The profile. `None` if the project file names the permission set itself.
    pub profile: Option<String>,
    /// The `[sso-session NAME]`. `None` for a profile in the legacy format.
    pub session: Option<String>,
    /// The start URL.
    pub start_url: String,
    /// The region of IAM Identity Center.
    pub region: Region,
    /// The account.
    pub account_id: String,
    /// The permission set.
    pub role_name: String,
    /// The endpoint of the access portal.
    pub portal: Endpoint,
    /// The endpoint that renews tokens. The renewed token is part of the identity.
    #[serde(skip)]
    pub oidc: Endpoint,
    /// The token file of `aws sso login` or `awsrole login`. It is read at every cache look-up, so that no session is
    /// returned after a sign-out. Its content identifies the sign-in, not its path.
    #[serde(skip)]
    pub token_file: PathBuf,
}

impl IdentityCenter {
    /// Returns the cache key of the lock for everything that may renew the token of the sign-in.
    #[must_use]
    pub fn lock_key(&self) -> String {
        sha256(&[b"sso", self.start_url.as_bytes()])
    }

    /// Returns the AWS CLI's file for a session's token (botocore, `tokens.py`). Its name is the SHA-1 of the session's
    /// name, or of the start URL if there is no session.
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
    /// The ARN of the signed-in principal.
    pub session: String,
    /// The endpoint of AWS Sign-In. The region in the token takes precedence.
    pub endpoint: Endpoint,
    /// The token file of `aws login` or `awsrole login`. It is read in the same way as [`IdentityCenter::token_file`].
    #[serde(skip)]
    pub token_file: PathBuf,
}

impl ConsoleLogin {
    /// Returns the AWS CLI's file for a console session's token.
    ///
    /// Its name is the SHA-256 of the session's ARN. It is in AWS_LOGIN_CACHE_DIRECTORY or below the home directory
    /// (aws-config 1.13, `login/cache.rs`).
    #[must_use]
    pub fn token_file(home: &Path, env: &Env, session: &str) -> PathBuf {
        let dir = env.text("AWS_LOGIN_CACHE_DIRECTORY").map_or_else(|| home.join(".aws/login/cache"), PathBuf::from);
        dir.join(sha256(&[session.trim().as_bytes()]) + ".json")
    }
}

/// A token file and all other parameters of AssumeRoleWithWebIdentity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WebIdentity {
    /// The profile.
    pub profile: String,
    /// The token file. It is read at every call, because other programs renew it.
    pub token_file: PathBuf,
    /// The role.
    pub role_arn: RoleArn,
    /// The role session name.
    pub session_name: SessionName,
    /// The session duration. The default of STS is one hour.
    pub duration: Option<SessionDuration>,
    /// Policies that limit the session.
    pub policy: SessionPolicy,
}

/// A variable that is set for a `credential_process`, so that an awsrole in it doesn't start the same program again.
///
/// It contains the profiles whose programs are running, one per line, the outermost first.
pub const IN_PROCESS: &str = "AWSROLE_IN_CREDENTIAL_PROCESS";

/// Returns the profiles whose `credential_process` started this process, the outermost first.
pub fn running_programs(env: &Env) -> impl Iterator<Item = &str> {
    env.filled(IN_PROCESS).into_iter().flat_map(str::lines)
}

impl Process {
    /// Returns the value of [`IN_PROCESS`] for the program.
    #[must_use]
    pub fn running(&self, env: &Env) -> String {
        running_programs(env).chain([self.profile.as_str()]).collect::<Vec<_>>().join("\n")
    }
}

/// Fetches credentials from sources. It is a trait because it performs I/O.
pub trait Sources {
    /// Fetches the credentials of a source.
    ///
    /// Keys in a store come from [`crate::aws::access_keys::AccessKeyStores`] instead, and the session of a web
    /// identity from [`crate::session::sts::Sts`].
    ///
    /// # Errors
    /// Describes the failure for the user, with the endpoint or command.
    fn credentials(&self, source: &Source) -> Result<Credentials, SourceError>;
}

/// The reason why a source returned no credentials.
pub enum SourceError {
    /// The user isn't signed in, or the sign-in has ended.
    SignedOut(Problem),
    /// Any other reason. Signing in wouldn't help.
    Failed(Problem),
}

impl SourceError {
    /// Returns the problem for the user.
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::SignedOut(problem) | Self::Failed(problem) => problem,
        }
    }
}

impl From<Problem> for SourceError {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl Source {
    /// Returns the name of what a user signs in to: the `[sso-session NAME]`, or the profile. Other sources have none.
    #[must_use]
    pub fn sign_in_name(&self) -> Option<&str> {
        match self {
            Self::IdentityCenter(role) => {
                Some(role.session.as_deref().or(role.profile.as_deref()).unwrap_or("IAM Identity Center"))
            }
            Self::ConsoleLogin(login) => Some(&login.profile),
            _ => None,
        }
    }

    /// Returns whether the keys are long-lived. Long-lived keys are never exported.
    #[must_use]
    pub fn is_long_term(&self) -> bool {
        match self {
            Self::StaticKeys(keys) => keys.session_token.is_none() || is_long_term_key_id(&keys.access_key_id),
            Self::StoredKeys(_) => true,
            _ => false,
        }
    }

    /// Returns whether these credentials may be used with an MFA code. A `credential_process` may return long-lived
    /// keys.
    #[must_use]
    pub fn may_use_mfa(&self) -> bool {
        self.is_long_term() || matches!(self, Self::Process(_))
    }
}

impl fmt::Display for IdentityCenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.profile {
            Some(profile) => write!(f, "profile {profile}"),
            None => write!(f, "permission set {} in {}", self.role_name, self.account_id),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaticKeys(keys) => f.write_str(&keys.holder),
            Self::StoredKeys(place) => write!(f, "profile {} (keys in {})", place.profile, place.store),
            Self::Process(process) => write!(f, "profile {} (credential_process)", process.profile),
            Self::IdentityCenter(role) => write!(f, "{role} (IAM Identity Center)"),
            Self::Instance { .. } => f.write_str("EC2 instance metadata"),
            Self::Container { .. } => f.write_str("container credentials"),
            Self::ConsoleLogin(login) => write!(f, "profile {} (aws login)", login.profile),
            Self::WebIdentity(token) => write!(f, "profile {} (web identity)", token.profile),
        }
    }
}

mod claims;
mod identity;
