//! The runtime, the HTTPS client, and an STS client for each caller on top of them.

use std::path::Path;

use aws_config::provider_config::ProviderConfig;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region, SharedHttpClient};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use awsrole_core::credentials::Credentials;
use awsrole_core::endpoint::Endpoint;
use awsrole_core::sts::StsError;

use crate::Limits;
use crate::clock::ServerClock;
use crate::connect::{Connections, Route};
use crate::expiration::Normalized;
use crate::roots::Roots;

/// One runtime on this thread and one pool of connections for all calls of a process.
pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    http: SharedHttpClient,
    connections: Connections,
    timeouts: TimeoutConfig,
    /// The limits of a call that is made once only, lest a code be spent twice: it has the whole time for its attempt.
    once: TimeoutConfig,
    pub(crate) clock: ServerClock,
}

impl Client {
    pub(crate) fn new(limits: Limits, ca_bundle: Option<&Path>) -> Result<Self, StsError> {
        let unusable = |what: &str, error: &dyn std::fmt::Display| StsError::Unreachable(format!("{what}: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| unusable("no runtime for network calls", &e))?;
        let connections = Connections::to_whom(Roots::with(ca_bundle)?)?;
        let http = connections.client(Route::ByProxy);
        let once = TimeoutConfig::builder().connect_timeout(limits.connect).operation_timeout(limits.whole);
        let timeouts = once.clone().operation_attempt_timeout(limits.attempt).build();
        Ok(Self { runtime, http, connections, timeouts, once: once.build(), clock: ServerClock::default() })
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// A connection for what is none of the SDK's services. It has no limits of its own.
    pub(crate) fn connector(&self) -> SharedHttpConnector {
        self.connections.connector()
    }

    /// A client for signing in, which signs nothing.
    pub(crate) fn oidc(&self, region: &str, endpoint: Option<&str>) -> aws_sdk_ssooidc::Client {
        let mut config = aws_sdk_ssooidc::Config::builder();
        config.set_endpoint_url(endpoint.map(str::to_owned));
        let config = config
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::standard())
            .timeout_config(self.timeouts.clone())
            .http_client(self.http.clone());
        aws_sdk_ssooidc::Client::from_conf(config.build())
    }

    /// The settings for a source of aws-config: our connections and limits.
    pub(crate) fn provider_config(&self, region: Option<&str>) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(region.map(|region| Region::new(region.to_owned())))
            .with_http_client(self.http.clone())
            .with_timeout_config(self.timeouts.clone())
    }

    /// The settings for a source of aws-config that belongs to this machine or container: no proxy is used.
    pub(crate) fn local_provider_config(&self) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_http_client(Normalized(self.connections.client(Route::Direct)))
            .with_timeout_config(self.timeouts.clone())
    }

    fn timeouts(&self, attempts: u32) -> TimeoutConfig {
        if attempts > 1 { self.timeouts.clone() } else { self.once.clone() }
    }

    /// A client of IAM that signs as `caller`; a call is tried so often.
    pub(crate) fn iam(&self, caller: &Credentials, endpoint: &Endpoint, attempts: u32) -> aws_sdk_iam::Client {
        let mut config = aws_sdk_iam::Config::builder();
        config.set_endpoint_url(endpoint.url.clone());
        let config = config
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(endpoint.region.as_str().to_owned()))
            .use_fips(endpoint.fips)
            .credentials_provider(keys(caller))
            .interceptor(self.clock.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(self.timeouts(attempts))
            .http_client(self.http.clone());
        aws_sdk_iam::Client::from_conf(config.build())
    }

    /// A client that signs as `caller` and asks nobody else for credentials, region or endpoint; a call is tried so
    /// often.
    pub(crate) fn sts(&self, caller: &Credentials, endpoint: &Endpoint, attempts: u32) -> aws_sdk_sts::Client {
        let config = self.sts_config(endpoint, attempts).credentials_provider(keys(caller));
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// A client for the calls that nobody signs.
    pub(crate) fn unsigned_sts(&self, endpoint: &Endpoint, attempts: u32) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::from_conf(self.sts_config(endpoint, attempts).build())
    }

    fn sts_config(&self, endpoint: &Endpoint, attempts: u32) -> aws_sdk_sts::config::Builder {
        let mut config = aws_sdk_sts::Config::builder();
        config.set_endpoint_url(endpoint.url.clone());
        config
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(endpoint.region.as_str().to_owned()))
            .use_fips(endpoint.fips)
            .use_dual_stack(endpoint.dual_stack)
            .interceptor(self.clock.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(self.timeouts(attempts))
            .http_client(self.http.clone())
    }
}

/// Credentials as the SDK's signer takes them.
fn keys(caller: &Credentials) -> aws_sdk_sts::config::Credentials {
    let token = caller.session_token.as_ref().map(|token| token.expose().to_owned());
    let secret = caller.secret_access_key.expose();
    aws_sdk_sts::config::Credentials::new(&caller.access_key_id, secret, token, None, "awsrole")
}
