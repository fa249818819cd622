//! Where an API is served: its name in ARNs, and what stands before its paths.

use axum::http::Uri;

/// The account of every API here.
pub(crate) const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// The identifier of every API here.
pub(crate) const API: &str = "local00000";

/// A stage of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Its name, as in ARNs.
    pub(crate) name: String,
    /// What stands before every path: `/NAME` at API Gateway's own domains, nothing at a custom domain.
    pub(crate) base: String,
}

impl Stage {
    /// A stage under its name, or one at the root that is called `unnamed`.
    pub(crate) fn new(name: Option<&str>, unnamed: &str) -> Self {
        match name {
            Some(name) => Self { name: name.to_owned(), base: format!("/{name}") },
            None => Self { name: unnamed.to_owned(), base: String::new() },
        }
    }

    /// The path of the API that a URI is for, with its leading slash.
    pub(crate) fn path<'a>(&self, uri: &'a Uri) -> Option<&'a str> {
        match uri.path().strip_prefix(self.base.as_str())? {
            "" => Some("/"),
            path => path.starts_with('/').then_some(path),
        }
    }

    /// The ARN of a request: `target` is `METHOD/PATH` or a route key of a WebSocket API.
    pub(crate) fn arn(&self, target: &str) -> String {
        format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{API}/{}/{target}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_stage_stands_before_the_path_and_never_in_it() {
        let uri = |path: &str| path.parse::<Uri>().unwrap();
        let named = Stage::new(Some("dev"), "local");
        assert_eq!(named.path(&uri("/dev/me?x=1")), Some("/me"));
        assert_eq!(named.path(&uri("/dev")), Some("/"));
        assert_eq!(named.path(&uri("/developers")), None);
        assert_eq!(named.path(&uri("/me")), None);
        assert!(named.arn("GET/me").ends_with("/dev/GET/me"));
        let unnamed = Stage::new(None, "$default");
        assert_eq!(unnamed.path(&uri("/me")), Some("/me"));
        assert!(unnamed.arn("GET/me").ends_with("/$default/GET/me"));
    }
}
