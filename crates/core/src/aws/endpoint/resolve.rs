//! Resolves endpoints and CA bundles. The environment takes precedence over the user's profiles, and both over the
//! region's default endpoint.

use std::borrow::Cow;

use super::{CaBundle, Endpoint, Service};
use crate::aws::parameters::Region;
use crate::aws::profiles::{Profile, Profiles};
use crate::base::context::{Context, Env};
use crate::base::problem::Problem;

/// Resolves a service's endpoint as the SDKs do (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
///
/// The order is AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the profile's `services`, its `endpoint_url`. `from` are the
/// profiles of a chain, nearest first. A setting that is missing in one profile is looked up in the next. `partition`
/// is that of the role, for a chain in which no region is set.
///
/// # Errors
/// Fails for an invalid region and for an endpoint that isn't a URL.
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
            Region::parse(text).map_err(|e| {
                Problem::new(format!("the region {e}")).hint("set `region` in .awsrole.toml or the profile")
            })?
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
        // The part before `@` may contain a password.
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

/// Returns a URL with its scheme in lower case. Schemes are case-insensitive (RFC 3986, 3.1).
fn lower_scheme(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => url.to_owned(),
    }
}

/// Returns the configured console sign-in endpoint: AWS_ENDPOINT_URL_SIGNIN, or `signin` in the nearest profile's
/// `services`.
///
/// No other setting applies, because this endpoint receives the credentials themselves, while all others receive
/// signatures.
#[must_use]
pub fn sign_in(from: &[Profile<'_>], profiles: &Profiles, env: &Env) -> Option<String> {
    let services = || profiles.endpoint_of_services(from.first()?.text("services")?, "signin");
    let url = env.filled("AWS_ENDPOINT_URL_SIGNIN").or_else(services);
    url.filter(|_| !ignored(from, env)).map(str::to_owned)
}

/// Returns the CA bundle, in botocore's order of precedence (`Session.create_client`, `EndpointCreator`).
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

/// Returns the endpoint settings of the hidden profile as environment variables. Variables that are already set keep
/// their values.
///
/// Only the nearest profile is used: AWS clients take only credentials from the profiles behind it.
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
    // AWS_ENDPOINT_URL takes precedence over a service-specific setting in a profile (botocore,
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

/// The variable with the endpoint of all services.
const EVERY_SERVICE: &str = "AWS_ENDPOINT_URL";

/// Returns whether a variable sets the endpoint of one service, such as `AWS_ENDPOINT_URL_S3`. Service IDs have at most
/// 64 characters.
#[must_use]
pub fn is_of_one_service(variable: &str) -> bool {
    let id = variable.strip_prefix(EVERY_SERVICE).and_then(|rest| rest.strip_prefix('_')).unwrap_or_default();
    let character = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !id.is_empty() && id.len() <= 64 && id.bytes().all(character)
}

/// Returns whether configured endpoints are ignored.
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

/// Returns the default region, the first one of the partition, for use where no region is configured.
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
    fn exports_the_nearest_profiles_settings() {
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
    fn finds_ca_bundles_as_botocore_does() {
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
    fn signs_in_only_at_a_sign_in_endpoint() {
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
