//! Where each service is that awsrole calls: what the environment says, then the user's profiles, then the region's own
//! endpoint. And whom TLS trusts there.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::aws::parameters::Region;
use crate::aws::profiles::{Profile, Profiles};
use crate::base::context::{Context, Env};
use crate::base::problem::Problem;

/// A service that awsrole calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The Security Token Service.
    Sts,
    /// Identity and Access Management, whose one endpoint serves a whole partition.
    Iam,
    /// IAM Identity Center's access portal, which gives credentials.
    Sso,
    /// IAM Identity Center's OpenID Connect service, which gives tokens.
    SsoOidc,
    /// AWS Sign-In, which renews the sessions of `aws login`.
    SignIn,
}

impl Service {
    /// As a `[services]` section names it.
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

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// The service.
    #[serde(skip)]
    pub service: Service,
    /// The region that signs, and whose endpoint is called.
    pub region: Region,
    /// An address that replaces the region's own, from the user's environment or profile.
    pub url: Option<String>,
    /// Use the FIPS endpoint.
    pub fips: bool,
    /// Use the dual-stack endpoint.
    pub dual_stack: bool,
    /// Whom TLS trusts there. It decides whether there is an answer, not for whom: it is part of no cache key.
    #[serde(skip)]
    pub ca_bundle: Option<CaBundle>,
}

/// A file of certificates (PEM) that replaces the machine's certificate authorities.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaBundle {
    /// The file.
    pub path: PathBuf,
    /// What names it: a variable, or a profile's key with its place.
    pub named_by: String,
}

impl Endpoint {
    /// The partition to which the region belongs (AWS SDKs, `partitions.json`).
    #[must_use]
    pub fn partition(&self) -> &'static str {
        let region = self.region.as_str();
        let prefixes = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-isob-", "aws-iso-b"),
            ("us-isof-", "aws-iso-f"),
            ("us-iso-", "aws-iso"),
            ("eu-isoe-", "aws-iso-e"),
            ("eusc-", "aws-eusc"),
        ];
        prefixes.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
    }

    /// The address for messages: the one in force, or the region's.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.url {
            // An address may hold a password.
            Some(url) => match (url.split_once("://"), url.rsplit_once('@')) {
                (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
                _ => url.clone(),
            },
            None if self.service == Service::Iam => Service::Iam.to_string(),
            None => format!("{} in {}", self.service, self.region.as_str()),
        }
    }
}

/// Finds a service's endpoint as the SDKs do (AWS SDKs and Tools Reference Guide, "Service-specific endpoints"):
/// AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the profile's `services`, its `endpoint_url`. `from` are the profiles of a
/// chain, the nearest first; what the nearest doesn't say, the next one may. `partition` is that of the role, for a
/// chain in which nobody names a region.
///
/// # Errors
/// A region that can't be one, or an address that isn't a URL.
pub fn resolve(
    service: Service,
    region: Option<&Region>,
    from: &[Profile<'_>],
    profiles: &Profiles,
    context: &Context,
    partition: Option<&str>,
) -> Result<Endpoint, Problem> {
    let env = &context.env;
    let of_profile = |key: &str| from.iter().find_map(|profile| profile.text(key));
    let on = |variable: &str, key: &str| is_on(from, env, variable, key);
    let region = match region {
        Some(region) => region.clone(),
        None => {
            let in_env = env.filled("AWS_REGION").or(env.filled("AWS_DEFAULT_REGION"));
            let text = in_env.or_else(|| of_profile("region")).unwrap_or_else(|| home_region(partition));
            Region::parse(text)
                .map_err(|e| Problem::new(format!("the region {e}")).hint("set `region` in .awsrole.toml"))?
        }
    };
    let (region, pseudo_fips) = region.without_fips();
    let configured = || {
        from.iter()
            .find_map(|profile| services_endpoint(profile, profiles, service).or_else(|| profile.text("endpoint_url")))
    };
    let url = env.filled(service.variable()).or(env.filled(EVERY_SERVICE)).or_else(configured);
    let url = url.filter(|_| !ignored(from, env));
    let url = url.map(lower_scheme);
    if let Some(url) = url.as_deref().filter(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
        // Before an `@` there may be a password.
        let shown = url.rsplit_once('@').map_or(url.to_owned(), |(_, host)| format!("…@{host}"));
        return Err(Problem::new(format!(
            "the endpoint `{shown}` isn't a URL: it must begin with https:// or http://"
        ))
        .hint(format!("it comes from {}, AWS_ENDPOINT_URL, or `endpoint_url` in ~/.aws/config", service.variable())));
    }
    Ok(Endpoint {
        service,
        region,
        url,
        ca_bundle: ca_bundle(from, context),
        fips: pseudo_fips || on("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        dual_stack: on("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
    })
}

/// A URL with its scheme in lower case: it may be written in capitals (RFC 3986, 3.1).
fn lower_scheme(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => url.to_owned(),
    }
}

/// Where the user wants to sign in to the console: AWS_ENDPOINT_URL_SIGNIN, or `signin` in the nearest profile's
/// `services`. No other setting counts: the keys themselves are sent there, while everybody else gets signatures.
#[must_use]
pub fn sign_in(from: &[Profile<'_>], profiles: &Profiles, env: &Env) -> Option<String> {
    let services = || profiles.endpoint_of_services(from.first()?.text("services")?, "signin");
    let url = env.filled("AWS_ENDPOINT_URL_SIGNIN").or_else(services);
    url.filter(|_| !ignored(from, env)).map(str::to_owned)
}

/// Returns the certificates that TLS trusts, in botocore's order (`Session.create_client`, `EndpointCreator`).
#[must_use]
pub fn ca_bundle(from: &[Profile<'_>], context: &Context) -> Option<CaBundle> {
    let of_env = |name: &str| {
        let path = context.env.filled(name)?;
        Some(CaBundle { path: context.expand(path), named_by: name.to_owned() })
    };
    let of_profile = |profile: &Profile<'_>| {
        let path = profile.text("ca_bundle")?;
        let named_by = format!("{}: ca_bundle", profile.origin("ca_bundle"));
        Some(CaBundle { path: context.expand(path), named_by })
    };
    of_env("AWS_CA_BUNDLE").or_else(|| from.iter().find_map(of_profile)).or_else(|| of_env("REQUESTS_CA_BUNDLE"))
}

/// What the hidden profile would have told the clients, as the variables that say the same. What
/// the environment says already stays as it is.
///
/// It is the nearest profile alone: of those behind it, which give the credentials, a client takes nothing else either.
#[must_use]
pub fn variables(from: &[Profile<'_>], profiles: &Profiles, context: &Context) -> Vec<(Cow<'static, str>, String)> {
    let Some(nearest) = from.first() else { return Vec::new() };
    let env = &context.env;
    let text = |key: &str| nearest.text(key).map(str::to_owned);
    let heeded = !ignored(std::slice::from_ref(nearest), env);
    let ca_bundle = nearest.text("ca_bundle").map(|path| context.expand(path).to_string_lossy().into_owned());
    let mut said: Vec<(Cow<'static, str>, Option<String>)> = vec![
        ("AWS_USE_FIPS_ENDPOINT".into(), text("use_fips_endpoint")),
        ("AWS_USE_DUALSTACK_ENDPOINT".into(), text("use_dualstack_endpoint")),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS".into(), text("ignore_configured_endpoint_urls")),
        ("AWS_CA_BUNDLE".into(), ca_bundle),
        (EVERY_SERVICE.into(), text("endpoint_url").filter(|_| heeded)),
    ];
    // The environment's word for every service goes before a profile's for one (botocore,
    // `ConfiguredEndpointProvider`).
    if heeded && env.filled(EVERY_SERVICE).is_none() {
        let services = nearest.text("services").map(|name| profiles.endpoints_of_services(name)).unwrap_or_default();
        said.extend(services.into_iter().filter_map(|(service, url)| {
            let variable = format!("{EVERY_SERVICE}_{}", service.to_ascii_uppercase());
            is_of_one_service(&variable).then(|| (variable.into(), Some(url.to_owned())))
        }));
    }
    said.into_iter()
        .filter(|(variable, _)| !env.has(variable))
        .filter_map(|(variable, value)| Some((variable, value?)))
        .collect()
}

/// The endpoint of all services.
const EVERY_SERVICE: &str = "AWS_ENDPOINT_URL";

/// Whether a variable names the endpoint of one service, such as `AWS_ENDPOINT_URL_S3`. No service's id is longer
/// than 64 characters.
#[must_use]
pub fn is_of_one_service(variable: &str) -> bool {
    let id = variable.strip_prefix(EVERY_SERVICE).and_then(|rest| rest.strip_prefix('_')).unwrap_or_default();
    let character = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !id.is_empty() && id.len() <= 64 && id.bytes().all(character)
}

/// Whether the user's settings of endpoints don't count.
fn ignored(from: &[Profile<'_>], env: &Env) -> bool {
    is_on(from, env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")
}

fn is_on(from: &[Profile<'_>], env: &Env, variable: &str, key: &str) -> bool {
    let value = env.filled(variable).or_else(|| from.iter().find_map(|profile| profile.text(key)));
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn services_endpoint<'p>(profile: &Profile<'p>, profiles: &'p Profiles, service: Service) -> Option<&'p str> {
    profiles.endpoint_of_services(profile.text("services")?, service.name())
}

/// The region whose STS is asked when none is named anywhere: the partition's first.
fn home_region(partition: Option<&str>) -> &'static str {
    match partition {
        Some("aws-cn") => "cn-north-1",
        Some("aws-us-gov") => "us-gov-west-1",
        Some("aws-iso") => "us-iso-east-1",
        Some("aws-iso-b") => "us-isob-east-1",
        Some("aws-iso-e") => "eu-isoe-west-1",
        Some("aws-iso-f") => "us-isof-south-1",
        Some("aws-eusc") => "eusc-de-east-1",
        _ => "us-east-1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::tests::home;

    const CONFIG: &str = "\
[profile own]
services = local
[profile other]
endpoint_url = http://127.0.0.1:1
[profile plain]
[profile deaf]
use_fips_endpoint = true
services = local
endpoint_url = http://127.0.0.1:1
ignore_configured_endpoint_urls = true
[profile everything]
services = local
endpoint_url = http://127.0.0.1:1
ca_bundle = ~/corporate.pem
[services local]
sts =
    endpoint_url = http://127.0.0.1:2
signin =
    endpoint_url = http://127.0.0.1:3
elastic_beanstalk =
    endpoint_url = http://127.0.0.1:4
no such service =
    endpoint_url = http://127.0.0.1:5
";

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env(pairs.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn variables_say_what_the_nearest_profile_says() {
        let (_home, mut context) = home(CONFIG, "");
        let profiles = Profiles::load(&context).unwrap();
        let ca_bundle = format!("AWS_CA_BUNDLE={}", context.paths.home.join("corporate.pem").display());
        let mut variables = |names: &[&str], pairs: &[(&str, &str)]| {
            let from: Vec<_> = names.iter().map(|name| profiles.get(name).unwrap()).collect();
            context.env = env(pairs);
            let said = variables(&from, &profiles, &context).into_iter();
            said.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let deaf = "AWS_USE_FIPS_ENDPOINT=true AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true";
        let all = "AWS_ENDPOINT_URL=http://127.0.0.1:1";
        let each = "AWS_ENDPOINT_URL_ELASTIC_BEANSTALK=http://127.0.0.1:4 AWS_ENDPOINT_URL_SIGNIN=http://127.0.0.1:3 AWS_ENDPOINT_URL_STS=http://127.0.0.1:2";
        for (names, pairs, expected) in [
            (&["own", "other"][..], &[][..], each),
            (&["everything"], &[], &format!("{ca_bundle} {all} {each}")),
            (&["everything"], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")], &ca_bundle),
            (&["everything"], &[("AWS_ENDPOINT_URL", ""), ("AWS_CA_BUNDLE", "")], each),
            (&["everything"], &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], &ca_bundle),
            (&["own"], &[("AWS_ENDPOINT_URL_STS", "x"), ("AWS_ENDPOINT_URL_SIGNIN", "x")], &each[..53]),
            (&["other", "own"], &[], all),
            (&["other"], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:4")], ""),
            (&["other"], &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")], ""),
            (&["plain", "other", "deaf"], &[], ""),
            (&["deaf", "other"], &[], deaf),
            (&["other", "deaf"], &[], all),
            (&[], &[], ""),
        ] {
            assert_eq!(variables(names, pairs), expected, "{names:?} {pairs:?}");
        }
    }

    #[test]
    fn certificates_are_found_as_botocore_finds_them() {
        let (_home, mut context) = home(CONFIG, "");
        let profiles = Profiles::load(&context).unwrap();
        let home = context.paths.home.display().to_string();
        let mut found = |names: &[&str], pairs: &[(&str, &str)]| {
            context.env = env(pairs);
            let from: Vec<_> = names.iter().map(|name| profiles.get(name).unwrap()).collect();
            ca_bundle(&from, &context).map(|bundle| {
                let path = bundle.path.display().to_string().replace(&home, "~");
                let named_by = bundle.named_by.rsplit('/').next().unwrap_or_default().to_owned();
                format!("{path} by {named_by}")
            })
        };
        let (all, requests) = (("AWS_CA_BUNDLE", "~/all.pem"), ("REQUESTS_CA_BUNDLE", "/requests.pem"));
        for (names, pairs, expected) in [
            (&["own"][..], &[][..], None),
            (&["own"], &[("AWS_CA_BUNDLE", "")], None),
            (&["own", "everything"], &[], Some("~/corporate.pem by config:14: ca_bundle")),
            (&["everything"], &[requests], Some("~/corporate.pem by config:14: ca_bundle")),
            (&["everything"], &[requests, all], Some("~/all.pem by AWS_CA_BUNDLE")),
            (&["own"], &[requests], Some("/requests.pem by REQUESTS_CA_BUNDLE")),
        ] {
            assert_eq!(found(names, pairs).as_deref(), expected, "{names:?} {pairs:?}");
        }
    }

    #[test]
    fn only_an_endpoint_of_its_own_is_for_signing_in() {
        let (_home, context) = home(CONFIG, "");
        let profiles = Profiles::load(&context).unwrap();
        let sign_in = |names: &[&str], pairs: &[(&str, &str)]| {
            let from: Vec<_> = names.iter().map(|name| profiles.get(name).unwrap()).collect();
            sign_in(&from, &profiles, &env(pairs))
        };
        let everything = ("AWS_ENDPOINT_URL", "http://127.0.0.1:4");
        let own = ("AWS_ENDPOINT_URL_SIGNIN", "http://127.0.0.1:5");
        let deaf = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        for (names, pairs, expected) in [
            (&["other"][..], &[][..], None),
            (&["other"], &[everything], None),
            (&["other"], &[everything, own], Some(own.1)),
            (&["own"], &[everything], Some("http://127.0.0.1:3")),
            (&["own"], &[own], Some(own.1)),
            (&["other", "own"], &[], None),
            (&["deaf"], &[own], None),
            (&["own"], &[own, deaf], None),
            (&[], &[own], Some(own.1)),
        ] {
            assert_eq!(sign_in(names, pairs).as_deref(), expected, "{names:?} {pairs:?}");
        }
    }
}
