//! The calls to STS and their errors. The `awsrole-sts` crate implements them.

use std::time::SystemTime;

use crate::aws::credentials::Credentials;
use crate::aws::endpoint::Endpoint;
use crate::aws::mfa::Code;
use crate::aws::source::WebIdentity;
use crate::base::secret::Secret;
use crate::plan::role_plan::{AssumeRole, GetScopedCredentials, GetSessionToken};

/// The STS calls that awsrole makes. It is a trait because it performs I/O.
pub trait Sts {
    /// Calls AssumeRole, signed by `caller`, with a code if the step has an MFA device.
    fn assume_role(
        &self,
        caller: &Credentials,
        step: &AssumeRole,
        code: Option<&Code>,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError>;

    /// Calls GetSessionToken, signed with long-lived keys.
    fn get_session_token(
        &self,
        caller: &Credentials,
        step: &GetSessionToken,
        code: Option<&Code>,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError>;

    /// Calls GetScopedCredentials, signed with temporary credentials. The endpoint is regional.
    fn get_scoped_credentials(
        &self,
        caller: &Credentials,
        step: &GetScopedCredentials,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError>;

    /// Calls AssumeRoleWithWebIdentity, which isn't signed: the token identifies the caller.
    fn assume_role_with_web_identity(
        &self,
        source: &WebIdentity,
        token: &Secret,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError>;

    /// Calls GetCallerIdentity and returns the ARN. It needs no permission.
    fn caller_arn(&self, caller: &Credentials, endpoint: &Endpoint) -> Result<String, StsError>;

    /// Calls DecodeAuthorizationMessage and returns the reason of a refusal as JSON. It needs a permission.
    fn decode(&self, caller: &Credentials, encoded: &str, endpoint: &Endpoint) -> Result<String, StsError>;
}

/// The reason why an STS call failed. No text contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StsError {
    /// STS refused the call.
    #[error("{code}: {message}")]
    Refused {
        /// The error code, such as `AccessDenied`.
        code: String,
        /// The error message.
        message: String,
        /// The server's time from the `Date` header of the response.
        server_time: Option<SystemTime>,
    },
    /// There was no response: the name doesn't resolve, the port is closed, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// The name of the server or of the proxy can't be resolved.
    #[error("{why}")]
    Unresolved {
        /// The name.
        host: String,
        /// The reason.
        why: String,
    },
    /// The CA bundle can't be used.
    #[error("{0}")]
    Trust(String),
    /// There was no response in time. Contains the seconds.
    #[error("no response within {0} s")]
    TimedOut(u64),
    /// STS responded, but its clock and the local one differ too much to determine when credentials expire.
    #[error("STS's clock shows {}", crate::aws::time::rfc3339(*.0))]
    Clock(SystemTime),
    /// The response is invalid, for example because it has no credentials.
    #[error("{0}")]
    Malformed(String),
}

impl StsError {
    /// Returns whether another attempt in 30 seconds may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Unresolved { .. }
            | Self::Trust(_)
            | Self::TimedOut(_)
            | Self::Malformed(_)
            | Self::Clock(_) => true,
            Self::Refused { code, .. } => matches!(
                code.as_str(),
                "Throttling" | "ThrottlingException" | "ServiceUnavailable" | "InternalFailure" | "InternalError"
            ),
        }
    }
}
