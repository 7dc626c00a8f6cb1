//! Returns the source that a `credential_source` names: the environment, instance metadata, or a container's endpoint.

use std::path::PathBuf;
use std::time::Duration;

use super::{no_key_id, reject_token_with};
use crate::aws::source::{IMDS, MetadataLimits, Source, StaticKeys, may_be_key_id};
use crate::base::digest::sha256;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::base::secret::Secret;
use crate::plan::resolve::{Chain, Resolver};

impl<'p> Resolver<'p> {
    pub(in crate::plan::resolve) fn credential_source(
        &self,
        text: &str,
        at: &Origin,
        chain: &Chain<'p>,
    ) -> Result<Source, Problem> {
        match text {
            "Ec2InstanceMetadata" => Ok(Source::Instance {
                endpoint: self.metadata_service(chain)?,
                host: (self.context.host)(),
                limits: self.metadata_limits(chain)?,
            }),
            "EcsContainer" => {
                let parts = ["RELATIVE_URI", "FULL_URI"].map(|name| format!("AWS_CONTAINER_CREDENTIALS_{name}"));
                let tokens = ["TOKEN", "TOKEN_FILE"].map(|name| format!("AWS_CONTAINER_AUTHORIZATION_{name}"));
                let values = parts.iter().chain(&tokens).map(|name| self.context.env.filled(name).unwrap_or_default());
                let host = (self.context.host)();
                let values = values.chain([host.as_str()]);
                let values: Vec<&[u8]> = values.flat_map(|value| [value.as_bytes(), b"\0".as_slice()]).collect();
                let token_file = self.context.env.filled(&tokens[1]).map(PathBuf::from);
                Ok(Source::Container { address: sha256(&values), token_file })
            }
            "Environment" => {
                let env = &self.context.env;
                let (Some(id), Some(secret)) = (env.filled("AWS_ACCESS_KEY_ID"), env.filled("AWS_SECRET_ACCESS_KEY"))
                else {
                    return Err(Problem::new(format!("{at}: the environment has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"))
                        .hint("`credential_source = Environment` uses credentials exported before you entered the directory: they aren't available to commands run inside it"));
                };
                if !may_be_key_id(id) {
                    return Err(no_key_id(at, "AWS_ACCESS_KEY_ID"));
                }
                let token = ["AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"];
                let token = token.into_iter().find(|name| env.filled(name).is_some()).unwrap_or("AWS_SESSION_TOKEN");
                let keys = StaticKeys {
                    holder: "the environment".to_owned(),
                    access_key_id: id.to_owned(),
                    secret_access_key: Secret::new(secret),
                    // The order is that of botocore (`EnvProvider.TOKENS`).
                    session_token: env.filled(token).map(Secret::new),
                };
                reject_token_with(&keys, at, token)?;
                Ok(Source::StaticKeys(keys))
            }
            _ => Err(Problem::new(format!("{at}: credential_source `{text}` isn't one that the AWS CLI knows"))
                .hint("it is Environment, Ec2InstanceMetadata or EcsContainer")),
        }
    }

    /// Returns the endpoint of the instance metadata service, from the environment or from the profiles of the chain
    /// (botocore, `InstanceMetadataFetcher`, `resolve_imds_endpoint_mode`).
    fn metadata_service(&self, chain: &Chain<'p>) -> Result<String, Problem> {
        let said = |variable: &str, key: &str| self.of_metadata(variable, key, chain);
        let mode = said("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
        let mode = match mode {
            None => 0,
            Some((text, _)) if text.eq_ignore_ascii_case("ipv4") => 0,
            Some((text, _)) if text.eq_ignore_ascii_case("ipv6") => 1,
            Some((text, at)) => {
                return Err(
                    Problem::new(format!("{at} `{text}` isn't one that the AWS CLI knows")).hint("it is IPv4 or IPv6")
                );
            }
        };
        match said("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint") {
            None => Ok(IMDS[mode].to_owned()),
            Some((url, _)) if url.starts_with("http://") || url.starts_with("https://") => Ok(url.to_owned()),
            Some((url, at)) => Err(Problem::new(format!("{at} `{url}` isn't a URL"))
                .hint("it must begin with http://, such as http://169.254.169.254")),
        }
    }

    /// Returns the limits of calls to the instance metadata service (botocore, `configprovider.py`).
    fn metadata_limits(&self, chain: &Chain<'p>) -> Result<MetadataLimits, Problem> {
        let number = |variable: &str, key: &str| match self.of_metadata(variable, key, chain) {
            None => Ok(None),
            Some((text, at)) => match text.trim().parse::<u32>() {
                Ok(number @ 1..) => Ok(Some(number)),
                _ => Err(Problem::new(format!("{at} `{text}` isn't a whole number above 0")).hint("such as 5")),
            },
        };
        let timeout = number("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout")?;
        let attempts = number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts")?;
        Ok(MetadataLimits { timeout: timeout.map(|seconds| Duration::from_secs(seconds.into())), attempts })
    }

    /// Returns a setting of the instance metadata service and its place, from the environment or from the profiles of
    /// the chain.
    fn of_metadata<'t>(&'t self, variable: &str, key: &str, chain: &'t Chain<'p>) -> Option<(&'t str, String)> {
        let of_env = self.context.env.filled(variable).map(|text| (text, variable.to_owned()));
        of_env.or_else(|| {
            let profile = chain.profiles.iter().find(|profile| profile.text(key).is_some())?;
            Some((profile.text(key)?, format!("{}: {key}", profile.origin(key))))
        })
    }
}
