//! Sources of initial credentials. aws-config's default chain is never used, because it would prefer credentials that
//! awsrole exported.

use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::endpoint::{self, CaBundle};
use awsrole_core::aws::source::{Source, SourceError, Sources};
use awsrole_core::aws::time::checked_timestamp;
use awsrole_core::base::context::{Context, Env};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;

use crate::{RemoteSts, console_login, identity_center, process};

/// Extracts the reason from an error of a provider.
pub(crate) type Reason = fn(&(dyn std::error::Error + 'static)) -> String;

/// Fetches credentials from sources, with the same connections and timeouts as STS.
pub struct RemoteSources<'a> {
    /// The runtime and the connections.
    pub(crate) sts: &'a RemoteSts<'a>,
    /// The environment before awsrole changed it, which is passed to a `credential_process`.
    pub(crate) env: &'a Env,
    /// Whether the user may be prompted. A `credential_process` may then read from stdin.
    pub(crate) may_ask: bool,
    /// The CA bundle for a container's endpoint, to which no profile applies.
    pub(crate) ca_bundle: Option<CaBundle>,
}

impl<'a> RemoteSources<'a> {
    /// Creates the sources without connecting. `outer` is the context without awsrole's exports, `may_ask` whether the
    /// user may be prompted.
    #[must_use]
    pub fn new(sts: &'a RemoteSts<'a>, outer: &'a Context, may_ask: bool) -> Self {
        Self { sts, env: &outer.env, may_ask, ca_bundle: endpoint::ca_bundle(&[], outer) }
    }
}

impl Sources for RemoteSources<'_> {
    fn credentials(&self, source: &Source) -> Result<Credentials, SourceError> {
        Ok(match source {
            Source::StaticKeys(keys) => keys.credentials(),
            Source::StoredKeys(place) => {
                return Err(Problem::new(format!("{} were asked of the wrong place", place.name())).into());
            }
            Source::Process(command) => process::run(command, self)?,
            Source::IdentityCenter(role) => identity_center::credentials(self.sts, role)?,
            Source::ConsoleLogin(login) => console_login::credentials(self.sts, login)?,
            Source::Instance { endpoint, limits, .. } => self.instance(endpoint, *limits)?,
            Source::Container { .. } => self.container()?,
            Source::WebIdentity(token) => {
                let problem = format!("the token of profile {} was asked of the wrong place", token.profile);
                return Err(Problem::new(problem).into());
            }
        })
    }
}

impl RemoteSources<'_> {
    /// Fetches credentials from a provider of aws-config.
    pub(crate) fn ask_with<P: ProvideCredentials>(
        &self,
        what: &str,
        config: &ProviderConfig,
        provider: impl FnOnce(&ProviderConfig) -> P,
        reason: Reason,
    ) -> Result<Credentials, String> {
        let client = self.sts.client().map_err(|error| error.to_string())?;
        // Some providers have timeouts of their own, which are longer than the user's.
        let whole = self.sts.limits().whole;
        let answer = self.sts.wait(client, what, async {
            tokio::time::timeout(whole, async { provider(config).provide_credentials().await }).await
        });
        let answer = answer.map_err(|_| format!("no response within {} s", whole.as_secs()))?;
        let from = answer.map_err(|error| reason(&error))?;
        let out_of_range = || "the expiration in the response is out of range".to_owned();
        let expiration = from.expiry().map(|end| checked_timestamp(end).ok_or_else(out_of_range)).transpose()?;
        Ok(Credentials {
            access_key_id: from.access_key_id().to_owned(),
            secret_access_key: Secret::new(from.secret_access_key()),
            session_token: from.session_token().map(Secret::new),
            issued: self.sts.now(),
            expiration,
            size_percent: None,
            arn: None,
        })
    }
}
