//! Calls AWS. This is the only crate that depends on the AWS SDK.
//!
//! A cache hit uses none of it: the runtime, the TLS configuration and the client are created with the first call.

mod assignments;
mod client;
mod clock;
mod connect;
mod console_login;
mod expiration;
mod federation;
mod iam;
mod identity_center;
mod local;
mod process;
pub mod subprocess;
mod proxies;
mod query;
mod refusal;
mod roots;
mod scoped;
mod sign_in;
mod sources;
mod token_file;
mod unresolved;

use std::cell::OnceCell;
use std::time::{Duration, SystemTime};

use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::primitives::DateTime;
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::aws::mfa::Code;
use awsrole_core::aws::session_policy::SessionPolicy;
use awsrole_core::aws::source::WebIdentity;
use awsrole_core::base::secret::Secret;
use awsrole_core::plan::role_plan::{AssumeRole, GetScopedCredentials, GetSessionToken};
use awsrole_core::session::sts::{Sts, StsError};

use crate::client::Client;

pub use crate::assignments::{list_accounts, list_permission_sets};
pub use crate::console_login::{ConsoleBrowser, pasted_code, sign_in_to_console};
pub use crate::federation::sign_in_token;
pub use crate::iam::{AccessKey, Iam};
pub use crate::sign_in::{
    AuthorizationRequest, DeviceAuthorization, SignedOut, account_names, sign_in_by_code, sign_in_by_device, sign_out,
};
pub use crate::sources::RemoteSources;

/// The number of attempts of a call that may be retried, which is the default of the SDK.
const ATTEMPTS: u32 = 3;

/// Timeouts of calls.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The connect timeout.
    pub connect: Duration,
    /// The timeout of one attempt of a call that may be retried, so that a hanging server costs one attempt and not the
    /// call.
    pub attempt: Duration,
    /// The timeout of a call with all its attempts.
    pub whole: Duration,
    /// The timeout of a `credential_process`, which may prompt the user.
    pub process: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let [connect, attempt, whole, process] = [3, 5, 15, 60].map(Duration::from_secs);
        Self { connect, attempt, whole, process }
    }
}

/// A function that is called with a message for the user, such as that a call takes long.
pub type Notice<'a> = Box<dyn Fn(&str) + 'a>;

/// STS over the network.
pub struct RemoteSts<'a> {
    limits: Limits,
    now: fn() -> SystemTime,
    notice: Notice<'a>,
    proxies: Vec<String>,
    client: OnceCell<Result<Client, StsError>>,
}

impl<'a> RemoteSts<'a> {
    /// Creates the client without connecting. `notice` is called once for each call that takes longer than 300 ms.
    #[must_use]
    pub fn new(limits: Limits, now: fn() -> SystemTime, notice: Notice<'a>) -> Self {
        Self { limits, now, notice, proxies: Vec::new(), client: OnceCell::new() }
    }

    /// Sets the names of the proxies in the environment, which are mentioned if there is no response.
    #[must_use]
    pub fn through(self, proxies: Vec<String>) -> Self {
        Self { proxies, ..self }
    }

    /// Returns the server's time in its last response.
    #[must_use]
    pub fn server_time(&self) -> Option<SystemTime> {
        self.client().ok()?.clock.last()
    }

    fn client(&self) -> Result<&Client, StsError> {
        let made = self.client.get_or_init(|| Client::new(self.limits()));
        made.as_ref().map_err(Clone::clone)
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn now(&self) -> SystemTime {
        (self.now)()
    }

    fn call<T, E, F>(&self, what: &str, endpoint: &Endpoint, call: F) -> Result<T, StsError>
    where
        F: Future<Output = Result<T, aws_sdk_sts::error::SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.named(&format!("{} ({what})", endpoint.shown()), endpoint, call)
    }

    /// Makes a call. `what` describes it in messages.
    fn named<T, E, F>(&self, what: &str, endpoint: &Endpoint, call: F) -> Result<T, StsError>
    where
        F: Future<Output = Result<T, aws_sdk_sts::error::SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.wait(self.client()?, what, call).map_err(|error| match refusal::of(&error, self.limits()) {
            StsError::Unreachable(why) if why.contains("UnknownIssuer") => match &endpoint.ca_bundle {
                Some(bundle) => StsError::Unreachable(format!(
                    "{why}: only the certificates in {} are trusted ({})",
                    bundle.path.display(),
                    bundle.named_by
                )),
                None if !roots::system_has_roots() => {
                    StsError::Unreachable("this machine has no CA certificates, so no server is trusted".to_owned())
                }
                None => StsError::Unreachable(why),
            },
            StsError::Unreachable(why) if !self.proxies.is_empty() => {
                StsError::Unreachable(format!("{why} ({})", self.proxies.join(", ")))
            }
            error => unresolved::explain(error, &endpoint.host()),
        })
    }

    /// Prints what is being waited for.
    pub(crate) fn print_waiting(&self, what: &str) {
        self.print_notice(&format!("waiting for {what} …"));
    }

    /// Prints a notice for the user.
    pub(crate) fn print_notice(&self, text: &str) {
        (self.notice)(text);
    }

    /// Waits for a response, and prints a message if it takes long.
    fn wait<F: Future>(&self, client: &Client, what: &str, call: F) -> F::Output {
        client.block_on(async {
            let mut call = std::pin::pin!(call);
            match tokio::time::timeout(Duration::from_millis(300), &mut call).await {
                Ok(answer) => answer,
                Err(_) => {
                    self.print_waiting(what);
                    call.await
                }
            }
        })
    }

    fn credentials(
        &self,
        from: Option<aws_sdk_sts::types::Credentials>,
        arn: Option<String>,
    ) -> Result<Credentials, StsError> {
        let from = from.ok_or_else(|| StsError::Malformed("the response contains no credentials".to_owned()))?;
        let expiration = time(&from.expiration)
            .ok_or_else(|| StsError::Malformed("the expiration in the response is out of range".to_owned()))?;
        if from.access_key_id.is_empty() || from.secret_access_key.is_empty() || from.session_token.is_empty() {
            return Err(StsError::Malformed("the credentials in the response are incomplete".to_owned()));
        }
        self.client()?.clock.check((self.now)())?;
        Ok(Credentials {
            access_key_id: from.access_key_id,
            secret_access_key: Secret::new(from.secret_access_key),
            session_token: Some(Secret::new(from.session_token)),
            issued: (self.now)(),
            expiration: Some(expiration),
            size_percent: None,
            arn,
        })
    }
}

impl Sts for RemoteSts<'_> {
    fn assume_role(
        &self,
        caller: &Credentials,
        step: &AssumeRole,
        code: Option<&Code>,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError> {
        let tags = step.tags.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags: Vec<Tag> = tags.collect::<Result<_, _>>().map_err(|e| StsError::Malformed(e.to_string()))?;
        let transitive = step.tags.transitive.clone();
        let call = self
            .client()?
            .sts(Some(caller), endpoint, attempts(code))?
            .assume_role()
            .role_arn(step.role_arn.as_str())
            .role_session_name(step.session_name.as_str())
            .set_serial_number(step.mfa_serial.as_ref().map(|serial| serial.as_str().to_owned()))
            .set_token_code(code.map(|code| code.digits().to_owned()))
            .set_external_id(step.external_id.as_ref().map(|id| id.as_str().to_owned()))
            .set_source_identity(step.source_identity.as_ref().map(|identity| identity.as_str().to_owned()))
            .set_duration_seconds(step.duration.map(|duration| duration.seconds()))
            .set_tags((!tags.is_empty()).then_some(tags))
            .set_transitive_tag_keys((!transitive.is_empty()).then_some(transitive))
            .set_policy(step.policy.inline.clone())
            .set_policy_arns(policy_arns(&step.policy));
        let answer = self.call(&format!("AssumeRole {}", step.role_arn.name()), endpoint, call.send())?;
        let arn = answer.assumed_role_user.map(|user| user.arn);
        let size_percent = percent(answer.session_token_utilization);
        Ok(Credentials { size_percent, ..self.credentials(answer.credentials, arn)? })
    }

    fn get_scoped_credentials(
        &self,
        caller: &Credentials,
        step: &GetScopedCredentials,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError> {
        scoped::fetch(self, caller, step, endpoint)
    }

    fn get_session_token(
        &self,
        caller: &Credentials,
        step: &GetSessionToken,
        code: Option<&Code>,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError> {
        let call = self
            .client()?
            .sts(Some(caller), endpoint, attempts(code))?
            .get_session_token()
            .set_duration_seconds(step.duration.map(|duration| duration.seconds()))
            .set_serial_number(step.mfa_serial.as_ref().map(|serial| serial.as_str().to_owned()))
            .set_token_code(code.map(|code| code.digits().to_owned()));
        let answer = self.call("GetSessionToken", endpoint, call.send())?;
        self.credentials(answer.credentials, None)
    }

    fn assume_role_with_web_identity(
        &self,
        source: &WebIdentity,
        token: &Secret,
        endpoint: &Endpoint,
    ) -> Result<Credentials, StsError> {
        let call = self
            .client()?
            .sts(None, endpoint, ATTEMPTS)?
            .assume_role_with_web_identity()
            .role_arn(source.role_arn.as_str())
            .role_session_name(source.session_name.as_str())
            .web_identity_token(token.expose())
            .set_duration_seconds(source.duration.map(|duration| duration.seconds()))
            .set_policy(source.policy.inline.clone())
            .set_policy_arns(policy_arns(&source.policy));
        let what = format!("AssumeRoleWithWebIdentity {}", source.role_arn.name());
        let answer = self.call(&what, endpoint, call.send())?;
        let arn = answer.assumed_role_user.map(|user| user.arn);
        let size_percent = percent(answer.session_token_utilization);
        Ok(Credentials { size_percent, ..self.credentials(answer.credentials, arn)? })
    }

    fn caller_arn(&self, caller: &Credentials, endpoint: &Endpoint) -> Result<String, StsError> {
        let call = self.client()?.sts(Some(caller), endpoint, ATTEMPTS)?.get_caller_identity();
        let answer = self.call("GetCallerIdentity", endpoint, call.send())?;
        self.client()?.clock.check((self.now)())?;
        answer.arn.ok_or_else(|| StsError::Malformed("the response contains no principal".to_owned()))
    }

    fn decode(&self, caller: &Credentials, encoded: &str, endpoint: &Endpoint) -> Result<String, StsError> {
        let client = self.client()?.sts(Some(caller), endpoint, ATTEMPTS)?;
        let call = client.decode_authorization_message().encoded_message(encoded);
        let answer = self.call("DecodeAuthorizationMessage", endpoint, call.send())?;
        answer.decoded_message.ok_or_else(|| StsError::Malformed("the response contains no message".to_owned()))
    }
}

/// Returns the number of attempts. A call with a code is made only once, because STS accepts each code once and may
/// have accepted it although the response was lost. A retry would fail with a wrong code.
fn attempts(code: Option<&Code>) -> u32 {
    if code.is_some() { 1 } else { ATTEMPTS }
}

/// Converts the managed policies of a session into the SDK's type.
fn policy_arns(policy: &SessionPolicy) -> Option<Vec<PolicyDescriptorType>> {
    let arns = policy.arns.iter().map(|arn| PolicyDescriptorType::builder().arn(arn).build());
    (!policy.arns.is_empty()).then(|| arns.collect())
}

/// Converts the share of the largest session token that policies and tags take.
fn percent(share: Option<i32>) -> Option<u8> {
    share.and_then(|share| u8::try_from(share).ok()).filter(|share| *share <= 100)
}

/// Converts a time of the server, with the bounds of core.
fn time(from: &DateTime) -> Option<SystemTime> {
    awsrole_core::aws::time::from_unix(u64::try_from(from.secs()).ok()?)
}
