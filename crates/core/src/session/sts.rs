//! What is asked of STS, and what can come back. The `awsrole-sts` crate answers.

use std::time::SystemTime;

use crate::aws::credentials::Credentials;
use crate::aws::endpoint::Endpoint;
use crate::aws::mfa::Code;
use crate::aws::source::WebIdentity;
use crate::base::secret::Secret;
use crate::plan::role_plan::{AssumeRole, GetSessionToken};

/// The calls that awsrole makes. A trait because here the outside answers.
pub trait Sts {
    /// AssumeRole, signed by `caller`, with a code for the step's device.
    fn assume_role(
        &self,
        caller: &Credentials,
        step: &AssumeRole,
        code: Option<&Code>,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError>;

    /// GetSessionToken, signed by long-term keys.
    fn get_session_token(
        &self,
        caller: &Credentials,
        step: &GetSessionToken,
        code: Option<&Code>,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError>;

    /// AssumeRoleWithWebIdentity, which no credentials sign: the token says who asks.
    fn assume_role_with_web_identity(
        &self,
        source: &WebIdentity,
        token: &Secret,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError>;

    /// GetCallerIdentity: the ARN. It needs no permission.
    fn caller_arn(&self, caller: &Credentials, endpoint: &Endpoint) -> Result<String, StsError>;

    /// DecodeAuthorizationMessage: the reason of a refusal as JSON, for those who may read it.
    fn decode(&self, caller: &Credentials, encoded: &str, endpoint: &Endpoint) -> Result<String, StsError>;
}

/// Why STS gave nothing. None of the texts holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StsError {
    /// STS answered no.
    #[error("{code}: {message}")]
    Refused {
        /// AWS's code, such as `AccessDenied`.
        code: String,
        /// AWS's words.
        message: String,
        /// The server's clock, from the response's `Date`.
        server_time: Option<SystemTime>,
    },
    /// No answer: the name doesn't resolve, nobody listens, the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// The file that says whom to trust can't be used.
    #[error("{0}")]
    Trust(String),
    /// No answer in time.
    #[error("no answer within {0} s")]
    TimedOut(u64),
    /// STS answered, but its clock and this machine's are too far apart: when credentials expire
    /// couldn't be told.
    #[error("STS dated its answer {}", crate::aws::time::rfc3339(*.0))]
    Clock(SystemTime),
    /// An answer that makes no sense, such as one without credentials.
    #[error("{0}")]
    Malformed(String),
}

impl StsError {
    /// Whether another try in half a minute may well succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Trust(_) | Self::TimedOut(_) | Self::Malformed(_) | Self::Clock(_) => true,
            Self::Refused { code, .. } => matches!(
                code.as_str(),
                "Throttling" | "ThrottlingException" | "ServiceUnavailable" | "InternalFailure" | "InternalError"
            ),
        }
    }
}
