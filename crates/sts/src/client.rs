//! The runtime, the connections, and the SDK clients of all services.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use aws_config::SdkConfig;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region, SharedHttpClient};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::endpoint::{CaBundle, Endpoint};
use awsrole_core::session::sts::StsError;

use crate::Limits;
use crate::clock::ServerClock;
use crate::connect::{Connections, Route};
use crate::expiration::Normalized;
use crate::roots::Roots;

/// A single-threaded runtime, with one connection pool for all calls that use the same CA certificates.
pub(crate) struct Client {
    /// `None` only while it is dropped.
    runtime: Option<tokio::runtime::Runtime>,
    pools: RefCell<BTreeMap<Option<CaBundle>, Rc<Pool>>>,
    timeouts: TimeoutConfig,
    /// The timeouts of a call that is made only once, because it contains a code: a single attempt has the whole time.
    once: TimeoutConfig,
    pub(crate) clock: ServerClock,
}

struct Pool {
    connections: Connections,
    http: SharedHttpClient,
}

impl Client {
    pub(crate) fn new(limits: Limits) -> Result<Self, StsError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|e| StsError::Unreachable(format!("cannot start the runtime for network calls: {e}")))?;
        let once = TimeoutConfig::builder().connect_timeout(limits.connect).operation_timeout(limits.whole);
        let timeouts = once.clone().operation_attempt_timeout(limits.attempt).build();
        Ok(Self {
            runtime: Some(runtime),
            pools: RefCell::default(),
            timeouts,
            once: once.build(),
            clock: ServerClock::default(),
        })
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.runtime {
            Some(runtime) => runtime.block_on(future),
            None => unreachable!("a dropped client makes no calls"),
        }
    }

    /// Returns the connection pool for a CA bundle or, without one, for the system CA certificates.
    fn pool(&self, ca_bundle: Option<&CaBundle>) -> Result<Rc<Pool>, StsError> {
        let key = ca_bundle.cloned();
        if let Some(pool) = self.pools.borrow().get(&key) {
            return Ok(Rc::clone(pool));
        }
        let connections = Connections::new(Roots::of(ca_bundle)?)?;
        let pool = Rc::new(Pool { http: connections.client(Route::ByProxy), connections });
        self.pools.borrow_mut().insert(key, Rc::clone(&pool));
        Ok(pool)
    }

    /// Returns a connector for HTTP calls without an SDK client. It has no timeouts.
    pub(crate) fn connector(&self, ca_bundle: Option<&CaBundle>) -> Result<SharedHttpConnector, StsError> {
        Ok(self.pool(ca_bundle)?.connections.connector())
    }

    /// Returns the configuration of an aws-config provider for instance or container credentials. It uses no proxy.
    pub(crate) fn local_provider_config(&self, ca_bundle: Option<&CaBundle>) -> Result<ProviderConfig, StsError> {
        Ok(ProviderConfig::without_region()
            .with_http_client(Normalized(self.pool(ca_bundle)?.connections.client(Route::Direct)))
            .with_timeout_config(self.timeouts.clone()))
    }

    /// Returns the configuration of an SDK client. Region, endpoint and credentials don't come from the SDK's own
    /// providers. A call is attempted up to `attempts` times.
    fn config(&self, endpoint: &Endpoint, attempts: u32) -> Result<SdkConfig, StsError> {
        let mut config = SdkConfig::builder();
        config.set_endpoint_url(endpoint.url.clone());
        Ok(config
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(endpoint.region.as_str().to_owned()))
            .use_fips(endpoint.fips)
            .use_dual_stack(endpoint.dual_stack)
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(if attempts > 1 { self.timeouts.clone() } else { self.once.clone() })
            .http_client(self.pool(endpoint.ca_bundle.as_ref())?.http.clone())
            .build())
    }

    /// Returns the STS client, signing as `caller`. `None` is for calls without a signature.
    pub(crate) fn sts(
        &self,
        caller: Option<&Credentials>,
        endpoint: &Endpoint,
        attempts: u32,
    ) -> Result<aws_sdk_sts::Client, StsError> {
        let mut config = aws_sdk_sts::config::Builder::from(&self.config(endpoint, attempts)?);
        if let Some(caller) = caller {
            config = config.credentials_provider(keys(caller));
        }
        Ok(aws_sdk_sts::Client::from_conf(config.interceptor(self.clock.clone()).build()))
    }

    /// Returns the settings of calls without an SDK client.
    pub(crate) fn query(&self, endpoint: &Endpoint, attempts: u32) -> Result<QuerySettings, StsError> {
        Ok(QuerySettings {
            http: self.pool(endpoint.ca_bundle.as_ref())?.http.clone(),
            retries: RetryConfig::standard().with_max_attempts(attempts),
            timeouts: self.timeouts.clone(),
            clock: self.clock.clone(),
        })
    }

    /// Returns the IAM client, signing as `caller`.
    pub(crate) fn iam(
        &self,
        caller: &Credentials,
        endpoint: &Endpoint,
        attempts: u32,
    ) -> Result<aws_sdk_iam::Client, StsError> {
        let config = aws_sdk_iam::config::Builder::from(&self.config(endpoint, attempts)?);
        let config = config.credentials_provider(keys(caller)).interceptor(self.clock.clone());
        Ok(aws_sdk_iam::Client::from_conf(config.build()))
    }

    /// Returns the client of IAM Identity Center's access portal.
    pub(crate) fn sso(&self, endpoint: &Endpoint, attempts: u32) -> Result<aws_sdk_sso::Client, StsError> {
        Ok(aws_sdk_sso::Client::new(&self.config(endpoint, attempts)?))
    }

    /// Returns the client of IAM Identity Center's token service.
    pub(crate) fn sso_oidc(&self, endpoint: &Endpoint, attempts: u32) -> Result<aws_sdk_ssooidc::Client, StsError> {
        Ok(aws_sdk_ssooidc::Client::new(&self.config(endpoint, attempts)?))
    }

    /// Returns the client of AWS Sign-In.
    pub(crate) fn sign_in(&self, endpoint: &Endpoint, attempts: u32) -> Result<aws_sdk_signin::Client, StsError> {
        Ok(aws_sdk_signin::Client::new(&self.config(endpoint, attempts)?))
    }
}

/// Connections, retries and timeouts of a call without an SDK client.
pub(crate) struct QuerySettings {
    pub(crate) http: SharedHttpClient,
    pub(crate) retries: RetryConfig,
    pub(crate) timeouts: TimeoutConfig,
    pub(crate) clock: ServerClock,
}

impl Drop for Client {
    /// Doesn't wait for look-ups of names. The system's resolver may take half a minute to give up.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Converts credentials into the type of the SDK's signer.
pub(crate) fn keys(caller: &Credentials) -> aws_sdk_sts::config::Credentials {
    let token = caller.session_token.as_ref().map(|token| token.expose().to_owned());
    let secret = caller.secret_access_key.expose();
    aws_sdk_sts::config::Credentials::new(&caller.access_key_id, secret, token, None, "awsrole")
}
