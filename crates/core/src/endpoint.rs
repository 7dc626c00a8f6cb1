//! Where STS is, and IAM: what the environment says, then the user's profiles, then the region's own endpoint.

use serde::Serialize;

use crate::context::Env;
use crate::limits::Region;
use crate::problem::Problem;
use crate::profiles::{Profile, Profiles};

/// A service that awsrole calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The Security Token Service.
    Sts,
    /// Identity and Access Management, whose one endpoint serves a whole partition.
    Iam,
}

impl Service {
    /// As a `[services]` section names it.
    fn name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Sts => "AWS_ENDPOINT_URL_STS",
            Self::Iam => "AWS_ENDPOINT_URL_IAM",
        }
    }
}

/// Where STS is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Endpoint {
    /// The region that signs, and whose endpoint is called.
    pub region: Region,
    /// An address that replaces the region's own, from the user's environment or profile.
    pub url: Option<String>,
    /// Use the FIPS endpoint.
    pub fips: bool,
    /// Use the dual-stack endpoint.
    pub dual_stack: bool,
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
            None => format!("STS in {}", self.region.as_str()),
        }
    }
}

/// Finds the endpoint as the SDKs do (AWS SDKs and Tools Reference Guide, "Service-specific
/// endpoints"): AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the profile's `services`, its `endpoint_url`.
pub fn resolve(
    service: Service,
    region: Option<&Region>,
    from: &[Profile<'_>],
    profiles: &Profiles,
    env: &Env,
    partition: Option<&str>,
) -> Result<Endpoint, Problem> {
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
    let url = env.filled(service.variable()).or(env.filled("AWS_ENDPOINT_URL")).or_else(configured);
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
        region,
        url,
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

/// What the hidden profile would have told the clients, as the variables that say the same. What
/// the environment says already stays as it is.
///
/// It is the nearest profile alone: of those behind it, which give the credentials, a client takes nothing else either.
#[must_use]
pub fn variables(from: &[Profile<'_>], profiles: &Profiles, env: &Env) -> Vec<(&'static str, String)> {
    let Some(nearest) = from.first() else { return Vec::new() };
    let heeded = !ignored(std::slice::from_ref(nearest), env);
    [
        ("AWS_USE_FIPS_ENDPOINT", nearest.text("use_fips_endpoint")),
        ("AWS_USE_DUALSTACK_ENDPOINT", nearest.text("use_dualstack_endpoint")),
        ("AWS_ENDPOINT_URL", nearest.text("endpoint_url").filter(|_| heeded)),
        ("AWS_ENDPOINT_URL_STS", services_endpoint(nearest, profiles, Service::Sts).filter(|_| heeded)),
    ]
    .into_iter()
    .filter(|(variable, _)| !env.has(variable))
    .filter_map(|(variable, value)| Some((variable, value?.to_owned())))
    .collect()
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
    use crate::profiles::tests::home;

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
[services local]
sts =
    endpoint_url = http://127.0.0.1:2
signin =
    endpoint_url = http://127.0.0.1:3
";

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env(pairs.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn variables_say_what_the_nearest_profile_says() {
        let (_home, context) = home(CONFIG, "");
        let profiles = Profiles::load(&context).unwrap();
        let variables = |names: &[&str], pairs: &[(&str, &str)]| {
            let from: Vec<_> = names.iter().map(|name| profiles.get(name).unwrap()).collect();
            let said = variables(&from, &profiles, &env(pairs)).into_iter();
            said.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let fips = "AWS_USE_FIPS_ENDPOINT=true";
        for (names, pairs, expected) in [
            (&["own", "other"][..], &[][..], "AWS_ENDPOINT_URL_STS=http://127.0.0.1:2"),
            (&["other", "own"], &[], "AWS_ENDPOINT_URL=http://127.0.0.1:1"),
            (&["other"], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:4")], ""),
            (&["other"], &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")], ""),
            (&["plain", "other", "deaf"], &[], ""),
            (&["deaf", "other"], &[], fips),
            (&["other", "deaf"], &[], "AWS_ENDPOINT_URL=http://127.0.0.1:1"),
            (&[], &[], ""),
        ] {
            assert_eq!(variables(names, pairs), expected, "{names:?} {pairs:?}");
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
