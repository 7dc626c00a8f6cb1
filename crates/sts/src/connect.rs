//! TLS connections, directly or through proxies.

use std::fmt;
use std::sync::Arc;

use aws_sdk_sts::config::SharedHttpClient;
use aws_sdk_sts::config::http::HttpRequest;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use awsrole_core::session::sts::StsError;

use crate::proxies;
use crate::refusal::root_cause;
use crate::roots::Roots;

/// Creates connections.
#[derive(Debug)]
pub(crate) struct Connections {
    // Shared, because the system CA certificates are large.
    bundle_only: Option<Arc<TlsContext>>,
    all: Arc<TlsContext>,
}

impl Connections {
    pub(crate) fn new(roots: Roots) -> Result<Self, StsError> {
        let tls = |trusted: TrustStore| {
            let built = TlsContext::builder().with_trust_store(trusted).build();
            built.map(Arc::new).map_err(|e| StsError::Unreachable(format!("the TLS settings: {e}")))
        };
        Ok(Self { bundle_only: roots.bundle_only.map(tls).transpose()?, all: tls(roots.all)? })
    }

    /// Returns a client for the SDK, with one pool for all calls that take the same route.
    pub(crate) fn client(&self, route: Route) -> SharedHttpClient {
        let pool = |tls: &Arc<TlsContext>| {
            let tls = Arc::clone(tls);
            Builder::new()
                .build_with_connector_fn(move |settings, components| connector(&tls, route, settings, components))
        };
        match &self.bundle_only {
            Some(bundle_only) => {
                SharedHttpClient::new(BundleFirstClient { bundle_only: pool(bundle_only), all: pool(&self.all) })
            }
            None => pool(&self.all),
        }
    }

    /// Returns a connector for HTTP calls without an SDK client. It has no timeouts.
    pub(crate) fn connector(&self) -> SharedHttpConnector {
        let of = |tls: &TlsContext| SharedHttpConnector::new(connector(tls, Route::ByProxy, None, None));
        match &self.bundle_only {
            Some(bundle_only) => {
                let all = Arc::clone(&self.all);
                let all = Arc::new(move || SharedHttpConnector::new(connector(&all, Route::ByProxy, None, None)));
                SharedHttpConnector::new(FallbackConnection { bundle_only: of(bundle_only), all })
            }
            None => of(&self.all),
        }
    }
}

/// The route to a server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
    /// Through the proxies in the environment.
    ByProxy,
    /// Without a proxy, regardless of the environment.
    ///
    /// Used for metadata and container endpoints, which identify the machine by its connection. A proxy would receive
    /// the pod's token and respond with its own identity (botocore, `ContainerMetadataFetcher`, uses no proxy either).
    Direct,
}

fn connector(
    tls: &TlsContext,
    route: Route,
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> Connector {
    let proxies = match route {
        Route::ByProxy => proxies::from_env(),
        Route::Direct => ProxyConfig::disabled(),
    };
    let mut connector = Connector::builder().proxy_config(proxies);
    connector.set_connector_settings(settings.cloned());
    connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
    connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone()).build()
}

/// A client that tries the system CA bundle first. The second client is created only if it is needed.
#[derive(Debug)]
struct BundleFirstClient {
    bundle_only: SharedHttpClient,
    all: SharedHttpClient,
}

impl HttpClient for BundleFirstClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let bundle_only = self.bundle_only.http_connector(settings, components);
        let (all, settings, components) = (self.all.clone(), settings.clone(), components.clone());
        SharedHttpConnector::new(FallbackConnection {
            bundle_only,
            all: Arc::new(move || all.http_connector(&settings, &components)),
        })
    }
}

/// Retries with the full set of CA certificates if the system bundle doesn't verify the server. No request has been
/// sent by then.
struct FallbackConnection {
    bundle_only: SharedHttpConnector,
    all: Arc<dyn Fn() -> SharedHttpConnector + Send + Sync>,
}

impl HttpConnector for FallbackConnection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let again = request.try_clone();
        let (call, all) = (self.bundle_only.call(request), self.all.clone());
        HttpConnectorFuture::new(async move {
            match (call.await, again) {
                // This is the text of rustls. Which of several reasons it names depends on the other certificates in
                // the file, such as an older key of a CA or a cross-signing CA.
                (Err(error), Some(again)) if root_cause(&error).starts_with("invalid peer certificate") => {
                    all().call(again).await
                }
                (answer, _) => answer,
            }
        })
    }
}

impl fmt::Debug for FallbackConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackConnection").field("bundle_only", &self.bundle_only).finish_non_exhaustive()
    }
}
