//! The services that awsrole calls, and their endpoints.

mod resolve;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::aws::parameters::Region;

pub use self::resolve::{ca_bundle, is_of_one_service, resolve, sign_in, variables};

/// A service that awsrole calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The Security Token Service.
    Sts,
    /// Identity and Access Management, which has one endpoint per partition.
    Iam,
    /// The access portal of IAM Identity Center, which issues credentials.
    Sso,
    /// The OpenID Connect service of IAM Identity Center, which issues tokens.
    SsoOidc,
    /// AWS Sign-In, which renews the sessions of `aws login`.
    SignIn,
}

impl Service {
    /// Returns the service's name in a `[services]` section.
    fn name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Sso => "sso",
            Self::SsoOidc => "sso_oidc",
            Self::SignIn => "signin",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Sts => "AWS_ENDPOINT_URL_STS",
            Self::Iam => "AWS_ENDPOINT_URL_IAM",
            Self::Sso => "AWS_ENDPOINT_URL_SSO",
            Self::SsoOidc => "AWS_ENDPOINT_URL_SSO_OIDC",
            Self::SignIn => "AWS_ENDPOINT_URL_SIGNIN",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sts => "STS",
            Self::Iam => "IAM",
            Self::Sso | Self::SsoOidc => "IAM Identity Center",
            Self::SignIn => "AWS Sign-In",
        })
    }
}

/// The endpoint of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// The service.
    #[serde(skip)]
    pub service: Service,
    /// The region that is called and used for signing.
    pub region: Region,
    /// A URL from the user's environment or profile that replaces the region's default endpoint.
    pub url: Option<String>,
    /// Whether to use the FIPS endpoint.
    pub fips: bool,
    /// Whether to use the dual-stack endpoint.
    pub dual_stack: bool,
    /// The trusted CA bundle. It decides whether a call succeeds, not whose credentials it returns, so it isn't part of
    /// any cache key.
    #[serde(skip)]
    pub ca_bundle: Option<CaBundle>,
}

/// A file of certificates (PEM) that replaces the system CA certificates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaBundle {
    /// The path of the file.
    pub path: PathBuf,
    /// The variable or the profile setting that names the file, with its location.
    pub named_by: String,
}

impl Endpoint {
    /// Returns the partition of the region (AWS SDKs, `partitions.json`).
    #[must_use]
    pub fn partition(&self) -> &'static str {
        self.region.partition()
    }

    /// Returns the endpoint for calls that STS's global endpoint doesn't support: the URL of the global endpoint is
    /// replaced by the endpoint of the region.
    #[must_use]
    pub fn regional(&self) -> Self {
        let url = self.url.clone().filter(|_| self.host() != "sts.amazonaws.com");
        Self { url, ..self.clone() }
    }

    /// Returns whether the region has no endpoint of its own.
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.region.as_str() == "aws-global" && self.regional().url.is_none()
    }

    /// Returns the host that is called (AWS SDKs, `endpoints.json`), for messages.
    #[must_use]
    pub fn host(&self) -> String {
        if let Some(url) = &self.url {
            let address = url.split_once("://").map_or(url.as_str(), |(_, address)| address);
            let authority = address.split(['/', '?', '#']).next().unwrap_or_default();
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            return match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((ipv6, _)) => ipv6.to_owned(),
                None => host.split(':').next().unwrap_or_default().to_owned(),
            };
        }
        let region = self.region.as_str();
        let suffix = match (self.partition(), self.dual_stack) {
            ("aws-cn", false) => "amazonaws.com.cn",
            (_, false) => "amazonaws.com",
            (_, true) => "api.aws",
        };
        let fips = if self.fips { "-fips" } else { "" };
        match self.service {
            Service::Sts => format!("sts{fips}.{region}.{suffix}"),
            Service::Iam => format!("iam{fips}.{suffix}"),
            Service::Sso => format!("portal.sso{fips}.{region}.{suffix}"),
            Service::SsoOidc => format!("oidc{fips}.{region}.{suffix}"),
            Service::SignIn => format!("{region}.signin.aws.amazon.com"),
        }
    }

    /// Returns the URL for messages: the configured one, or the region's default.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.url {
            // A URL may contain a password.
            Some(url) => match (url.split_once("://"), url.rsplit_once('@')) {
                (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
                _ => url.clone(),
            },
            None if self.service == Service::Iam => Service::Iam.to_string(),
            None => format!("{} in {}", self.service, self.region.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_host_that_is_called() {
        let endpoint = |url: Option<&str>, region: &str, fips| Endpoint {
            service: Service::Sts,
            region: Region::parse(region).unwrap(),
            url: url.map(str::to_owned),
            fips,
            dual_stack: false,
            ca_bundle: None,
        };
        for (url, region, fips, host) in [
            (None, "eu-west-1", false, "sts.eu-west-1.amazonaws.com"),
            (None, "us-east-1", true, "sts-fips.us-east-1.amazonaws.com"),
            (None, "cn-north-1", false, "sts.cn-north-1.amazonaws.com.cn"),
            (Some("https://a:b@sts.corp:8443/x"), "eu-west-1", false, "sts.corp"),
            (Some("http://[::1]:4566"), "eu-west-1", false, "::1"),
        ] {
            assert_eq!(endpoint(url, region, fips).host(), host);
        }
    }
}
