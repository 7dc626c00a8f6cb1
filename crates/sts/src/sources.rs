//! Sources of first credentials: the base providers of aws-config, each asked by itself. Its default
//! chain is never used: it would prefer keys that awsrole exported.

use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::credentials::SsoCredentialsProvider;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sts::config::Region;
use awsrole_core::context::Env;
use awsrole_core::credentials::{Credentials, bounded};
use awsrole_core::problem::Problem;
use awsrole_core::secret::Secret;
use awsrole_core::source::{IdentityCenter, Source, Sources};

use crate::{RemoteSts, process, refusal, sign_in};

/// Finds the reason in an error of a provider.
pub(crate) type Reason = fn(&(dyn std::error::Error + 'static)) -> String;

/// Sources, asked over the same connections and within the same limits as STS.
pub struct RemoteSources<'a> {
    /// The runtime and the connections.
    pub sts: &'a RemoteSts<'a>,
    /// The environment as it was before awsrole changed it: what a `credential_process` gets.
    pub env: &'a Env,
}

impl Sources for RemoteSources<'_> {
    fn credentials(&self, source: &Source) -> Result<Credentials, Problem> {
        match source {
            Source::StaticKeys(keys) => Ok(keys.credentials()),
            Source::StoredKeys(place) => Err(Problem::new(format!("{} were asked of the wrong place", place.name()))),
            Source::Process(command) => process::run(command, self.env, self.sts.limits().process, self.sts.now()),
            Source::IdentityCenter(role) => {
                if sign_in::has_expired(role, self.sts.now()) {
                    return Err(signed_out(role, "the cached SSO token has expired"));
                }
                let provider = |config: &ProviderConfig| {
                    let mut builder = SsoCredentialsProvider::builder()
                        .configure(config)
                        .account_id(&role.account_id)
                        .role_name(&role.role_name)
                        .start_url(&role.start_url)
                        .region(Region::new(role.region.as_str().to_owned()));
                    builder.set_session_name(role.session.clone());
                    builder.build()
                };
                self.ask("IAM Identity Center", Some(role.region.as_str()), provider, refusal::deepest)
                    .map_err(|why| signed_out(role, &why))
            }
            Source::Instance { .. } => self.instance(),
            Source::Container { .. } => self.container(),
            Source::ConsoleLogin(login) => {
                let provider = |config: &ProviderConfig| {
                    LoginCredentialsProvider::builder(&login.session).configure(config).build()
                };
                // Each region has its own AWS Sign-In; `aws login` takes the profile's.
                let in_env = self.env.filled("AWS_REGION").or(self.env.filled("AWS_DEFAULT_REGION"));
                let region = in_env.or(login.region.as_ref().map(|region| region.as_str())).unwrap_or("us-east-1");
                self.ask("AWS Sign-In", Some(region), provider, refusal::of_sign_in).map_err(|why| {
                    Problem::new(format!("the console session of {} gives no credentials", login.session))
                        .because(if missing(&why) { "there is no sign-in yet" } else { &why })
                        .hint(if why.contains("insufficient permissions") {
                            "the person's policies must allow signin:CreateOAuth2Token".to_owned()
                        } else {
                            format!("sign in: `aws login --profile {}`", login.profile)
                        })
                })
            }
            Source::WebIdentity(token) => {
                Err(Problem::new(format!("the token of profile {} was asked of the wrong place", token.profile)))
            }
        }
    }
}

impl RemoteSources<'_> {
    /// Asks a provider of aws-config that signs in at a region's service.
    fn ask<P: ProvideCredentials>(
        &self,
        what: &str,
        region: Option<&str>,
        provider: impl FnOnce(&ProviderConfig) -> P,
        reason: Reason,
    ) -> Result<Credentials, String> {
        let client = self.sts.client().map_err(|error| error.to_string())?;
        self.ask_with(what, &client.provider_config(region), provider, reason)
    }

    /// Asks a provider of aws-config over the given connections.
    pub(crate) fn ask_with<P: ProvideCredentials>(
        &self,
        what: &str,
        config: &ProviderConfig,
        provider: impl FnOnce(&ProviderConfig) -> P,
        reason: Reason,
    ) -> Result<Credentials, String> {
        let client = self.sts.client().map_err(|error| error.to_string())?;
        // Some of the providers have limits of their own, longer than the user's.
        let whole = self.sts.limits().whole;
        let answer = self.sts.wait(client, what, async {
            tokio::time::timeout(whole, async { provider(config).provide_credentials().await }).await
        });
        let answer = answer.map_err(|_| format!("no answer within {} s", whole.as_secs()))?;
        let from = answer.map_err(|error| reason(&error))?;
        let out_of_range = || "the answer's expiration is out of range".to_owned();
        let expiration = from.expiry().map(|end| bounded(end).ok_or_else(out_of_range)).transpose()?;
        Ok(Credentials {
            access_key_id: from.access_key_id().to_owned(),
            secret_access_key: Secret::new(from.secret_access_key()),
            session_token: from.session_token().map(Secret::new),
            issued: self.sts.now(),
            expiration,
            arn: None,
        })
    }
}

/// Whether the words of the system say that a file isn't there.
fn missing(why: &str) -> bool {
    why.starts_with("No such file")
}

fn signed_out(role: &IdentityCenter, why: &str) -> Problem {
    let login = match &role.session {
        Some(session) => format!("aws sso login --sso-session {session}"),
        None => format!("aws sso login --profile {}", role.profile),
    };
    let problem =
        Problem::new(format!("IAM Identity Center gives no credentials for {} in {}", role.role_name, role.account_id));
    let sign_in = format!("sign in: `awsrole login`, or `{login}`; this shell follows at a prompt");
    let place = |problem: Problem| problem.fact("asked at", format!("{} ({})", role.start_url, role.region.as_str()));
    if why.contains("cached SSO token") {
        return problem.because("nobody has signed in, or the sign-in has ended").hint(sign_in);
    }
    if why.starts_with("ForbiddenException") {
        return place(problem.because(why))
            .hint(format!(
                "permission set {} isn't assigned to you in account {}: are both right in profile {}?",
                role.role_name, role.account_id, role.profile
            ))
            .hint("the access portal lists what is assigned; an administrator of Identity Center assigns more");
    }
    // What the portal says begins with its code; anything else is the network's.
    if why.split(':').next().is_some_and(|code| code.ends_with("Exception")) {
        return place(problem.because(why)).hint(sign_in);
    }
    place(problem.because(why))
        .hint("check the network, proxies (HTTPS_PROXY) and sso_region")
        .hint(format!("if you aren't signed in: `awsrole login`, or `{login}`"))
}
