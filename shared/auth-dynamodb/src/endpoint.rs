//! Where a `DynamoDB` is that is not the region's own.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

/// The URL of a `DynamoDB`: an engine on this machine, or another way to that of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    is_on_loopback: bool,
}

/// The text is no URL that a `DynamoDB` can have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL such as http://127.0.0.1:8000")]
pub struct MalformedEndpoint;

impl Endpoint {
    /// The URL as it was written.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Whether it is on this machine, where an engine asks for no account.
    pub const fn is_on_loopback(&self) -> bool {
        self.is_on_loopback
    }
}

impl FromStr for Endpoint {
    type Err = MalformedEndpoint;

    fn from_str(url: &str) -> Result<Self, MalformedEndpoint> {
        let uri: Uri = url.parse().map_err(|_| MalformedEndpoint)?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        if host.is_empty() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(MalformedEndpoint);
        }
        let is_on_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        Ok(Self { url: url.to_owned(), is_on_loopback })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_on_loopback() {
        for (url, expected) in [
            ("http://127.0.0.1:8000", true),
            ("http://127.1.2.3", true),
            ("http://localhost:4566/", true),
            ("http://[::1]:8000", true),
            ("https://dynamodb.eu-central-1.amazonaws.com", false),
            ("http://dynamodb:8000", false),
            ("http://10.0.0.1:8000", false),
            ("http://localhost.example:8000", false),
            ("http://127.0.0.1@evil.example", false),
        ] {
            let endpoint: Endpoint = url.parse().unwrap();
            assert_eq!(endpoint.is_on_loopback(), expected, "{url}");
            assert_eq!(endpoint.to_string(), url);
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in ["", "localhost", "localhost:8000", "/here", "ftp://localhost", "http://", "http:// localhost"] {
            assert_eq!(text.parse::<Endpoint>(), Err(MalformedEndpoint), "{text}");
        }
    }
}
