//! `ALLOWED_ORIGINS`: whose pages may call.

use std::net::Ipv6Addr;

use auth_core::config::{ConfigError, Variables};

/// The origins whose pages may read answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origins {
    /// Nobody's but our own.
    #[default]
    None,
    /// Everybody's.
    Any,
    /// These, as browsers spell them.
    These(Vec<String>),
}

impl Origins {
    /// Reads `ALLOWED_ORIGINS`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub(crate) fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let expected = "origins such as https://app.example or http://localhost:5173, without a path or the scheme's \
                        own port, in lower case and separated by commas; or * alone";
        Ok(variables.parsed("ALLOWED_ORIGINS", expected, Self::parse)?.unwrap_or_default())
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let origins: Vec<String> = text.split(',').map(|origin| origin.trim().to_owned()).collect();
        origins.iter().all(|origin| is_origin(origin)).then_some(Self::These(origins))
    }

    /// Whether pages of this origin may read answers.
    pub(crate) fn allow(&self, origin: &str) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::These(origins) => origins.iter().any(|allowed| allowed == origin),
        }
    }
}

/// An origin in the one spelling that browsers send (HTML §7.1.1, serialization); any other would never match. `null` is
/// none: every sandboxed frame has it.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    is_scheme(scheme) && is_host(host) && port.is_none_or(|port| is_port(port, scheme))
}

/// Not `http` and `https` alone: the shells of mobile apps have schemes of their own.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
}

fn is_host(text: &str) -> bool {
    let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address),
        None => {
            !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_'))
        }
    }
}

fn is_port(text: &str, scheme: &str) -> bool {
    let is_default = matches!((scheme, text), ("https", "443") | ("http", "80"));
    !is_default && text.parse::<u16>().is_ok_and(|port| port.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_in_the_spelling_of_browsers() {
        let good = [
            "https://app.example",
            "https://app.example:8443",
            "https://xn--bcher-kva.example",
            "https://203.0.113.7",
            "http://localhost:5173",
            "http://127.0.0.1:8080",
            "http://[::1]:3000",
            "http://[2001:db8::1]",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
        ];
        for origin in good {
            let origins = Origins::parse(origin);
            assert_eq!(origins, Some(Origins::These(vec![origin.to_owned()])), "{origin}");
            assert!(origins.unwrap().allow(origin), "{origin}");
        }
        let bad = [
            "app.example",
            "//app.example",
            "https://",
            "https://:8443",
            "https://app.example/",
            "https://app.example/login",
            "https://app.example?x",
            "https://App.example",
            "HTTPS://app.example",
            "https://app.example:443",
            "http://app.example:80",
            "https://app.example:",
            "https://app.example:0443",
            "https://app.example:+1",
            "https://app.example:65536",
            "https://*.example",
            "https://b\u{fc}cher.example",
            "https://user@app.example",
            "https://app.example https://other.example",
            "https://app.example;https://other.example",
            "https://app.example,",
            ",",
            "https://app.example,*",
            "*,*",
            "null",
            "http://[::1",
            "http://[::0001]",
            "1s://app.example",
        ];
        for text in bad {
            assert_eq!(Origins::parse(text), None, "{text}");
        }
    }

    #[test]
    fn origins_are_compared_whole() {
        let origins = Origins::parse("https://app.example, http://localhost:5173").unwrap();
        for (origin, allowed) in [
            ("https://app.example", true),
            ("http://localhost:5173", true),
            ("http://app.example", false),
            ("https://app.example:8443", false),
            ("https://app.example.evil.example", false),
            ("https://evil-app.example", false),
            ("https://APP.example", false),
            ("https://app.example, http://localhost:5173", false),
            ("http://localhost", false),
            ("null", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(origins.allow(origin), allowed, "{origin}");
        }
        assert!(Origins::parse("*").unwrap().allow("null"));
        assert!(!Origins::default().allow("https://app.example"));
    }
}
