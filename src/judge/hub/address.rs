//! Addresses: the URL of a file on the hub, where a redirect may lead, and where a token may be sent.
//!
//! Must not connect to anything.

use std::net::IpAddr;
use ureq::http::Uri;

/// Address of a file of a hub repository.
pub(super) fn of_file(endpoint: &str, repo: &str, revision: &str, file: &str) -> String {
    let repo = hf_hub::Repo::with_revision(repo.to_owned(), hf_hub::RepoType::Model, revision.to_owned());
    format!("{}/{}/resolve/{}/{file}", endpoint.trim_end_matches('/'), repo.url(), repo.url_revision())
}

/// Whether the address is of this machine.
pub(super) fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Whether nobody on the way can read what is sent to the address, so that a token may go there.
pub(super) fn is_private(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https") || is_loopback(uri)
}

/// Whether both are of one server, reached in one way.
pub(super) fn same_server(one: &Uri, other: &Uri) -> bool {
    one.authority() == other.authority() && one.scheme() == other.scheme()
}

/// Where a redirect leads, absolute or relative to `from`.
pub(super) fn follow(from: &Uri, location: &str) -> Option<Uri> {
    let scheme = location.split_once("://").map_or("", |(scheme, _)| scheme);
    if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !scheme.contains(['/', '?', '#']) {
        return location.parse().ok();
    }
    let mut parts = from.clone().into_parts();
    // `//host/path` keeps the scheme only.
    if let Some(rest) = location.strip_prefix("//") {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        parts.authority = Some(authority.parse().ok()?);
        parts.path_and_query = Some(if path.is_empty() { "/" } else { path }.parse().ok()?);
        return Uri::from_parts(parts).ok();
    }
    let path = if location.starts_with('/') {
        location.to_owned()
    } else {
        let dir = from.path().rsplit_once('/').map_or("", |(dir, _)| dir);
        format!("{dir}/{location}")
    };
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn a_token_may_travel_encrypted_or_within_this_machine_and_nowhere_else() {
        for (address, may) in [
            ("https://huggingface.co/x", true),
            ("https://mirror.example:8443/x", true),
            ("http://127.0.0.1:8080/x", true),
            ("http://127.9.9.9/x", true),
            ("http://[::1]:8080/x", true),
            ("http://LOCALHOST/x", true),
            ("http://huggingface.co/x", false),
            ("http://192.168.0.7/x", false),
            ("http://localhost.example/x", false),
            ("http://127.0.0.1.example/x", false),
            ("http://localhost@mirror.example/x", false),
            ("http://[::2]/x", false),
            ("ftp://huggingface.co/x", false),
        ] {
            assert_eq!(is_private(&uri(address)), may, "{address}");
        }
    }

    #[test]
    fn another_host_port_or_scheme_is_another_server() {
        let hub = uri("https://hub.example/a");
        assert!(same_server(&hub, &uri("https://hub.example/b?c")));
        for other in ["http://hub.example/a", "https://hub.example:444/a", "https://cdn.example/a"] {
            assert!(!same_server(&hub, &uri(other)), "{other}");
        }
    }

    #[test]
    fn a_redirect_leads_to_an_absolute_or_a_relative_address() {
        let from = uri("https://hub.example/a/b?q=1");
        for (location, to) in [
            ("https://cdn.example/x", "https://cdn.example/x"),
            ("//cdn.example/x?y", "https://cdn.example/x?y"),
            ("//cdn.example", "https://cdn.example/"),
            ("/x?y=a://b", "https://hub.example/x?y=a://b"),
            ("x?y=a://b", "https://hub.example/a/x?y=a://b"),
            ("c", "https://hub.example/a/c"),
        ] {
            assert_eq!(follow(&from, location), Some(uri(to)), "{location}");
        }
    }
}
