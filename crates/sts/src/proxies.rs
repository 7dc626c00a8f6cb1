//! Reads the proxies of the environment by the rules of Python's urllib and of botocore.

use aws_smithy_http_client::proxy::ProxyConfig;

/// Returns the proxies for requests to AWS.
///
/// `https_proxy` takes precedence over `HTTPS_PROXY`, even if it is empty, and `ALL_PROXY` is ignored
/// (`getproxies_environment` of Python, `ProxyConfiguration` of botocore). `NO_PROXY=*` disables all proxies.
pub(crate) fn from_env() -> ProxyConfig {
    #[expect(clippy::disallowed_methods, reason = "the HTTP client reads its proxies in the process's own environment")]
    let choice = Choice::of(|name| std::env::var(name).ok());
    let configured = match &choice {
        Choice::Direct => return ProxyConfig::disabled(),
        Choice::Environment => return ProxyConfig::from_env(),
        Choice::Http(url, _) => ProxyConfig::http(url),
        Choice::Https(url, _) => ProxyConfig::https(url),
        Choice::All(url, _) => ProxyConfig::all(url),
    };
    match (configured, choice) {
        (Ok(config), Choice::Http(_, no) | Choice::Https(_, no) | Choice::All(_, no)) => config.no_proxy(no),
        // A value that isn't a proxy URL is interpreted by the HTTP client.
        _ => ProxyConfig::from_env(),
    }
}

/// The proxy configuration: a URL, and the hosts that are reached directly.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Direct,
    Http(String, String),
    Https(String, String),
    All(String, String),
    /// As interpreted by the HTTP client: separate proxies for http and https.
    Environment,
}

impl Choice {
    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get =
            |name: &str| variable(&name.to_lowercase()).or_else(|| variable(name)).filter(|value| !value.is_empty());
        let no = get("NO_PROXY").unwrap_or_default();
        if no == "*" {
            return Self::Direct;
        }
        // In a CGI program, HTTP_PROXY is a header sent by a client.
        let http = match variable("REQUEST_METHOD") {
            Some(_) => variable("http_proxy").filter(|value| !value.is_empty()),
            None => get("HTTP_PROXY"),
        };
        let clash = |name: &str| {
            variable(name).is_some_and(|upper| variable(&name.to_lowercase()).is_some_and(|lower| lower != upper))
        };
        match (http.as_deref().map(address), get("HTTPS_PROXY").as_deref().map(address)) {
            (None, None) => Self::Direct,
            (Some(http), None) => Self::Http(http, no),
            (None, Some(https)) => Self::Https(https, no),
            (Some(http), Some(https)) if http == https => Self::All(https, no),
            // The HTTP client can't be configured with two proxies. AWS's own endpoints are https.
            (Some(_), Some(https)) if ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].into_iter().any(clash) => {
                Self::Https(https, no)
            }
            (Some(_), Some(_)) => Self::Environment,
        }
    }
}

/// Returns a proxy URL with its scheme, in lower case (botocore, `_fix_proxy_url`).
fn address(value: &str) -> String {
    match value.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => format!("http://{}", value.trim_start_matches("//")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_variables_as_python_does() {
        let (p, q) = ("http://p:1", "http://q:1");
        for (variables, expected) in [
            (&[][..], Choice::Direct),
            (&[("HTTPS_PROXY", p)], Choice::Https(p.into(), String::new())),
            (&[("HTTP_PROXY", p), ("NO_PROXY", "a,.b")], Choice::Http(p.into(), "a,.b".into())),
            (&[("HTTPS_PROXY", q), ("https_proxy", p)], Choice::Https(p.into(), String::new())),
            (&[("HTTPS_PROXY", q), ("https_proxy", "")], Choice::Direct),
            (&[("HTTPS_PROXY", p), ("no_proxy", "*")], Choice::Direct),
            (&[("HTTPS_PROXY", p), ("NO_PROXY", "*"), ("no_proxy", "a")], Choice::Https(p.into(), "a".into())),
            (&[("HTTPS_PROXY", p), ("NO_PROXY", "*, a")], Choice::Https(p.into(), "*, a".into())),
            (&[("ALL_PROXY", p), ("all_proxy", p)], Choice::Direct),
            (&[("HTTPS_PROXY", "HTTP://p:1")], Choice::Https(p.into(), String::new())),
            (&[("HTTPS_PROXY", "p:1")], Choice::Https(p.into(), String::new())),
            (&[("HTTPS_PROXY", "//p:1")], Choice::Https(p.into(), String::new())),
            (&[("HTTPS_PROXY", p), ("http_proxy", p)], Choice::All(p.into(), String::new())),
            (&[("HTTPS_PROXY", p), ("http_proxy", q)], Choice::Environment),
            (&[("HTTPS_PROXY", q), ("https_proxy", p), ("http_proxy", q)], Choice::Https(p.into(), String::new())),
            (&[("HTTP_PROXY", p), ("REQUEST_METHOD", "GET")], Choice::Direct),
            (&[("http_proxy", p), ("REQUEST_METHOD", "GET")], Choice::Http(p.into(), String::new())),
        ] {
            let get =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Choice::of(get), expected, "{variables:?}");
        }
    }
}
