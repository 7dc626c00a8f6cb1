//! Sources of this machine or container: EC2 instance metadata, and the endpoint that ECS, EKS Pod Identity and
//! CodeBuild provide. They never use a proxy ([`crate::connect::Route::Direct`]).

use std::path::Path;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::source::MetadataLimits;
use awsrole_core::base::context::Env;
use awsrole_core::base::files::read_regular;
use awsrole_core::base::problem::Problem;
use zeroize::Zeroizing;

use crate::refusal;
use crate::sources::RemoteSources;

/// The largest token file that is read, in bytes. The token becomes a header, and servers accept much less.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

impl RemoteSources<'_> {
    /// Fetches credentials from the instance metadata service (IMDSv2).
    pub(crate) fn instance(&self, endpoint: &str, limits: MetadataLimits) -> Result<Credentials, Problem> {
        let ask = || {
            let config = self.local_config()?;
            // Without an endpoint the client would read a profile of its own.
            let client = imds::Client::builder().configure(&config).endpoint(endpoint).map_err(|e| e.to_string())?;
            let client = match limits.timeout {
                Some(timeout) => client.connect_timeout(timeout).read_timeout(timeout),
                None => client,
            };
            let client = match limits.attempts {
                Some(attempts) => client.max_attempts(attempts),
                None => client,
            };
            let provider = |config: &ProviderConfig| {
                ImdsCredentialsProvider::builder().configure(config).imds_client(client.build()).build()
            };
            self.ask_with("EC2 instance metadata", &config, provider, refusal::root_cause)
        };
        // The SDK doesn't retry after a broken connection. The service is on the same machine.
        ask()
            .or_else(|why| if limits.attempts.is_none() { ask() } else { Err(why) })
            .map_err(|why| no_instance(endpoint, self.env, &why))
    }

    fn local_config(&self) -> Result<ProviderConfig, String> {
        let client = self.sts.client().map_err(|error| error.to_string())?;
        client.local_provider_config(self.ca_bundle.as_ref()).map_err(|error| error.to_string())
    }

    /// Fetches credentials from the container's endpoint.
    pub(crate) fn container(&self) -> Result<Credentials, Problem> {
        let Some(address) = container_address(self.env) else {
            return Err(Problem::new("there are no container credentials: no endpoint is set").hint(
                "in ECS, EKS Pod Identity and CodeBuild the platform sets AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI. Elsewhere use another source",
            ));
        };
        check_token(self.env).map_err(|unusable| unusable.problem(&address))?;
        let provider = |config: &ProviderConfig| EcsCredentialsProvider::builder().configure(config).build();
        let answer = self
            .local_config()
            .and_then(|config| self.ask_with("container credentials", &config, provider, refusal::root_cause));
        answer.map_err(|why| no_container(&address, &why))
    }
}

fn no_instance(address: &str, env: &Env, why: &str) -> Problem {
    let problem = Problem::new(format!("EC2 instance metadata at {address} returned no credentials")).because(why);
    if env.text("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return problem.hint("AWS_EC2_METADATA_DISABLED is true in this environment: unset it");
    }
    if why.contains("404") {
        return problem
            .hint("the instance has no role: attach an instance profile (aws ec2 associate-iam-instance-profile)");
    }
    if why.contains("forbidden") {
        return problem.hint("the instance's metadata service is disabled (aws ec2 modify-instance-metadata-options --http-endpoint enabled)");
    }
    if why.contains("Expiration") {
        return problem
            .hint(format!("the service at {address} must write the time as EC2's own metadata service does"));
    }
    problem.hint(
        "this works on an EC2 instance with an instance profile. In a container the hop limit of IMDSv2 must be 2",
    )
}

/// Returns the container's endpoint for messages, or `None` if the environment has none.
fn container_address(env: &Env) -> Option<String> {
    let variables = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    let address = variables.iter().find_map(|name| env.filled(name))?;
    // The agent's address (Amazon ECS Developer Guide, "Task IAM role").
    Some(if address.starts_with('/') { format!("http://169.254.170.2{address}") } else { address.to_owned() })
}

fn no_container(address: &str, why: &str) -> Problem {
    let problem = Problem::new(format!("cannot get container credentials from {address}")).because(why);
    if why.contains("allowed IP address") {
        return problem.hint("without https, only this machine and the addresses of ECS and EKS are allowed");
    }
    if why.contains("StatusCode(40") {
        return problem.hint(format!(
            "the platform's token is in {TOKEN}, or in the file that …_TOKEN_FILE names: is it still the right one?"
        ));
    }
    if why.contains("Expiration") {
        return problem.hint(format!("the service at {address} must write the time in a form that SDKs read"));
    }
    problem.hint("is the platform's agent running, and does the address belong to this container?")
}

/// The reason why the container's token can't be sent.
#[derive(Debug, PartialEq, Eq)]
struct Unusable {
    /// The file or the variable.
    place: String,
    why: String,
    /// Whether the file is missing. Its path may belong to another container.
    missing: bool,
}

impl Unusable {
    fn problem(self, address: &str) -> Problem {
        let problem = Problem::new(format!("cannot send the token to {address}: {} {}", self.place, self.why));
        if self.missing {
            return problem.hint(format!("the platform writes the file: is {TOKEN_FILE} the right path?"));
        }
        problem.hint("the platform writes it as one line of text, without a line break at its end")
    }
}

/// Checks the token before it becomes a header, because the SDK's error names neither the file nor the variable.
///
/// The file takes precedence over the variable, and line breaks are rejected (botocore, `ContainerProvider`).
fn check_token(env: &Env) -> Result<(), Unusable> {
    let Some(path) = env.0.get(std::ffi::OsStr::new(TOKEN_FILE)).map(Path::new) else {
        let token = env.0.get(std::ffi::OsStr::new(TOKEN)).map(|token| token.as_encoded_bytes());
        return match token.map(check_header) {
            Some(Err(why)) => Err(Unusable { place: TOKEN.to_owned(), why: why.to_owned(), missing: false }),
            _ => Ok(()),
        };
    };
    let unusable = |why: String, missing| Unusable { place: path.display().to_string(), why, missing };
    if path.as_os_str().is_empty() {
        let why = "is set, but names no file".to_owned();
        return Err(Unusable { place: TOKEN_FILE.to_owned(), why, missing: true });
    }
    let token = read_regular(path, MAX_TOKEN_BYTES)
        .map(Zeroizing::new)
        .map_err(|error| unusable(format!("can't be read: {error}"), error.kind() == std::io::ErrorKind::NotFound))?;
    check_header(&token).map_err(|why| unusable(why.to_owned(), false))
}

/// Checks whether bytes are a valid value of an HTTP header (RFC 9110, section 5.5).
fn check_header(token: &[u8]) -> Result<(), &'static str> {
    if token.is_empty() {
        return Err("is empty");
    }
    match token.iter().find(|byte| (**byte < b' ' && **byte != b'\t') || **byte == 0x7f) {
        None => Ok(()),
        Some(b'\n' | b'\r') => Err("has a line break"),
        Some(_) => Err("has a control character"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env(pairs.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn names_a_token_that_is_not_a_valid_header() {
        for (token, expected) in [
            ("Basic abc", None),
            ("tab\tand ünï", None),
            ("", Some("is empty")),
            ("token\n", Some("has a line break")),
            ("to\r\nX-Other: 1", Some("has a line break")),
            ("to\0ken", Some("has a control character")),
            ("to\u{7f}ken", Some("has a control character")),
        ] {
            assert_eq!(check_header(token.as_bytes()).err(), expected, "{token:?}");
            if !token.contains('\0') {
                let said = check_token(&env(&[(TOKEN, token)])).err();
                let expected =
                    expected.map(|why| Unusable { place: TOKEN.to_owned(), why: why.to_owned(), missing: false });
                assert_eq!(said, expected, "{token:?}");
            }
        }
    }

    #[test]
    fn token_file_takes_precedence_over_the_variable() {
        let good = (TOKEN, "Basic abc");
        assert_eq!(check_token(&env(&[])), Ok(()));
        assert_eq!(check_token(&env(&[good])), Ok(()));
        let said = check_token(&env(&[good, (TOKEN_FILE, "/nowhere/token")])).unwrap_err();
        assert!(said.missing && said.place == "/nowhere/token", "{said:?}");
        let said = check_token(&env(&[good, (TOKEN_FILE, "")])).unwrap_err();
        assert!(said.place == TOKEN_FILE, "{said:?}");
    }
}
