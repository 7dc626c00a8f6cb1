//! Redirect URIs of clients that run on the user's machine.

/// Returns the path of a redirect URI on a loopback address. The port isn't part of the registration (RFC 8252).
pub(crate) fn loopback_path(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/')?);
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find_map(|host| authority.strip_prefix(host))?;
    let port = host.strip_prefix(':').map(str::parse::<u16>);
    (host.is_empty() || matches!(port, Some(Ok(_)))).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_go_to_loopback_only() {
        for (uri, expected) in [
            ("http://127.0.0.1/oauth/callback", Some("/oauth/callback")),
            ("http://127.0.0.1:8080/oauth/callback", Some("/oauth/callback")),
            ("http://[::1]:1/", Some("/")),
            ("http://localhost/x", Some("/x")),
            ("http://127.0.0.1", None),
            ("http://127.0.0.1.example.com/x", None),
            ("http://127.0.0.1:80@example.com/x", None),
            ("http://127.0.0.1:/x", None),
            ("https://127.0.0.1/x", None),
        ] {
            assert_eq!(loopback_path(uri), expected, "{uri}");
        }
    }
}
