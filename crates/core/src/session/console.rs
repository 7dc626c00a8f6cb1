//! Console sign-in: which sessions can sign in, for how long, and with which URLs (IAM User Guide, "Enable custom
//! identity broker access to the AWS console").

use std::net::IpAddr;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::aws::parameters::Region;
use crate::aws::source::Source;
use crate::base::context::Env;
use crate::base::problem::Problem;
use crate::base::secret::Secret;
use crate::plan::role_plan::{RolePlan, Step};

/// The permitted duration of a console session.
pub const DURATION: std::ops::RangeInclusive<Duration> = Duration::from_secs(900)..=Duration::from_secs(43_200);

/// The federation endpoint and the destination of a sign-in.
#[derive(Debug, PartialEq, Eq)]
pub struct Console {
    /// The federation endpoint.
    pub federation: String,
    /// The URL of the console page.
    pub destination: String,
}

/// The kind of session a plan will produce, as far as it is known without calling STS.
#[derive(Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// A role session made with long-lived keys or a web identity. The console session has a duration of its own.
    Role,
    /// A role session made with temporary credentials. The console session ends with them.
    Chained,
    /// Not known. Requires GetCallerIdentity.
    Unknown,
}

/// Returns the kind of session a plan will produce.
///
/// # Errors
/// Fails for a user's own session, which can't sign in.
pub fn session_kind(plan: &RolePlan) -> Result<SessionKind, Problem> {
    // Only a session that AssumeRole returned may ask for a console session of another duration.
    let scoped = plan.steps.iter().any(|step| matches!(step, Step::GetScopedCredentials(_)));
    Ok(match (plan.identity_step(), &plan.source) {
        // Unless the program returns long-lived keys, its session is used unchanged.
        (Some(Step::GetSessionToken(_)), Source::Process(_)) => SessionKind::Unknown,
        (Some(Step::GetSessionToken(_)), _) => return Err(no_role(&plan.source.to_string())),
        (Some(Step::AssumeRole(_)), source) if plan.steps.len() == 1 && source.is_long_term() => SessionKind::Role,
        (Some(Step::AssumeRole(_) | Step::GetScopedCredentials(_)), _) => SessionKind::Chained,
        (None, Source::WebIdentity(_)) if !scoped => SessionKind::Role,
        (
            None,
            Source::IdentityCenter(_) | Source::Instance { .. } | Source::Container { .. } | Source::WebIdentity(_),
        ) => SessionKind::Chained,
        (None, Source::StaticKeys(_) | Source::StoredKeys(_) | Source::Process(_) | Source::ConsoleLogin(_)) => {
            SessionKind::Unknown
        }
    })
}

/// Checks that the ARN belongs to a session that can sign in.
///
/// # Errors
/// Fails for a user's own session and for the root user.
pub fn check_arn(title: &str, arn: &str) -> Result<(), Problem> {
    match arn.splitn(6, ':').nth(5) {
        Some(name) if name.starts_with("assumed-role/") || name.starts_with("federated-user/") => Ok(()),
        Some("root") => Err(Problem::new(format!(
            "{title} is the account's root user, and root users cannot use console federation"
        ))
        .hint("sign in to the console with the root user's password")),
        _ => Err(no_role(title).fact("requested by", arn)),
    }
}

impl Console {
    /// Returns the URLs of a plan's partition. The user's sign-in endpoint takes precedence over the default of the
    /// partition.
    ///
    /// # Errors
    /// Fails for a partition without a published federation endpoint, for an invalid service name, and for an endpoint
    /// that would receive the credentials unencrypted.
    pub fn of(plan: &RolePlan, service: Option<&str>, env: &Env) -> Result<Self, Problem> {
        let partition = plan.role_arn().map_or_else(|| plan.endpoint.partition(), |arn| arn.partition());
        let (sign_in, console) = match partition {
            "aws" => ("https://signin.aws.amazon.com", "https://console.aws.amazon.com"),
            "aws-us-gov" => ("https://signin.amazonaws-us-gov.com", "https://console.amazonaws-us-gov.com"),
            "aws-cn" => ("https://signin.amazonaws.cn", "https://console.amazonaws.cn"),
            other => {
                return Err(Problem::new(format!("no federation endpoint is known for partition {other}"))
                    .hint("`awsrole console` is for aws, aws-us-gov and aws-cn"));
            }
        };
        let service = service.unwrap_or("console");
        if service.is_empty() || !service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(Problem::new(format!(
                "--service {service}: a service name has lower-case letters, digits and `-`"
            ))
            .hint("it is part of the console URL, such as s3, ec2, cloudformation, dynamodbv2"));
        }
        let own = plan.sign_in.as_deref().unwrap_or(sign_in);
        if !may_get_keys(own) {
            return Err(Problem::new("the sign-in endpoint must begin with https://")
                .because("the credentials are sent there, so http:// is only allowed for localhost")
                .hint("it comes from AWS_ENDPOINT_URL_SIGNIN, or `signin` in a [services] section of ~/.aws/config"));
        }
        let in_env = env.filled("AWS_REGION").or(env.filled("AWS_DEFAULT_REGION"));
        let region = plan.region.as_ref().map(Region::as_str).or(in_env.filter(|text| Region::parse(text).is_ok()));
        let region = region.map(|region| format!("?region={region}")).unwrap_or_default();
        Ok(Self {
            federation: format!("{}/federation", own.trim_end_matches('/')),
            destination: format!("{console}/{service}/home{region}"),
        })
    }
}

impl Console {
    /// Returns the sign-in URL. It signs in anyone who opens it within 15 minutes.
    #[must_use]
    pub fn address(&self, token: &Secret) -> Zeroizing<String> {
        let mut address = Zeroizing::new(String::with_capacity(16 * 1024));
        address.push_str(&format!("{}?Action=login&Issuer=awsrole&Destination=", self.federation));
        push_encoded(&mut address, &self.destination);
        address.push_str("&SigninToken=");
        push_encoded(&mut address, token.expose());
        address
    }
}

/// Returns whether credentials may be sent to a URL: it must be encrypted or on this machine.
fn may_get_keys(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return url.starts_with("https://") };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    // The part before an `@` is never the host.
    let here = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    here && !authority.contains('@')
}

/// Appends a text with percent-encoding for a query (RFC 3986, "Unreserved Characters").
fn push_encoded(to: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => to.push(char::from(byte)),
            _ => to.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn no_role(title: &str) -> Problem {
    Problem::new(format!("cannot sign in to the console with {title}"))
        .because("only role sessions can sign in, and this is a session of a user (GetSessionToken)")
        .hint("set a role for the directory, or sign in with the user's password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_credentials_only_encrypted_or_to_this_machine() {
        for (url, fine) in [
            ("https://signin.aws.amazon.com", true),
            ("http://localhost", true),
            ("http://LOCALHOST:4566/x", true),
            ("http://127.0.0.2:80", true),
            ("http://[::1]:80/x", true),
            ("http://signin.aws.amazon.com", false),
            ("http://localhost.example.com", false),
            ("http://localhost@example.com", false),
            ("http://127.0.0.1:80@example.com/", false),
            ("http://[2001:db8::1]", false),
            ("http://", false),
            ("ftp://localhost", false),
            ("localhost", false),
        ] {
            assert_eq!(may_get_keys(url), fine, "{url}");
        }
    }

    #[test]
    fn checks_which_arns_can_sign_in() {
        for (arn, part) in [
            ("arn:aws:sts::222222222222:assumed-role/Deploy/alice", None),
            ("arn:aws:sts::222222222222:federated-user/alice", None),
            ("arn:aws:iam::111111111111:user/alice", Some("session of a user")),
            ("arn:aws:iam::111111111111:root", Some("root user")),
            ("nonsense", Some("session of a user")),
        ] {
            let said = check_arn("Deploy", arn).err().map(|problem| problem.to_string());
            assert_eq!(said.is_some(), part.is_some(), "{arn}");
            assert!(said.unwrap_or_default().contains(part.unwrap_or_default()), "{arn}");
        }
    }
}
