//! What routes ask for, beyond a good access token.

use auth_core::scope::Scope;
use serde::Deserialize;

use crate::arn::{CONNECT, METHODS, Target};
use crate::caller::Rights;

/// The longest pattern of one route. With the longest stage before it, a resource stays below the 512 characters that
/// API Gateway takes.
const MAX_PATTERN_LENGTH: usize = 256;

/// The routes that ask for something. A request must satisfy every route that matches it.
///
/// ```json
/// {"routes": [{"method": "GET", "path": "/orders/*", "all_scopes": ["orders:read"]}], "unmatched": "deny"}
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutePolicy {
    routes: Vec<Route>,
    #[serde(default)]
    unmatched: Unmatched,
}

/// What becomes of a good access token where no route matches.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Unmatched {
    #[default]
    Allow,
    Deny,
}

/// What one route asks for.
///
/// ```json
/// {"method": "DELETE", "path": "/orders/*", "all_scopes": ["orders:write"], "any_roles": ["clerk", "admin"]}
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    /// A method of API Gateway, `*` for all of them, or `$connect`, which opens a WebSocket and has no path.
    method: String,
    path: Option<Pattern>,
    #[serde(default)]
    all_scopes: Vec<String>,
    #[serde(default)]
    any_scopes: Vec<String>,
    #[serde(default)]
    all_roles: Vec<String>,
    #[serde(default)]
    any_roles: Vec<String>,
}

/// A path in which `*` stands for any run of characters, slashes among them: what it means in an IAM policy, so that the
/// policy that the gateway caches says exactly what this one says.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Pattern(String);

/// Why a route policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not the JSON of a policy.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A method that is none.
    #[error("route {0}: the method must be one of {METHODS:?}, \"*\" or \"{CONNECT}\"")]
    Method(usize),
    /// A method without a path, or `$connect` with one.
    #[error("route {0}: every method has a path but \"{CONNECT}\", which has none")]
    Path(usize),
    /// A scope or role that no token can have.
    #[error("route {0}: a scope or role is one word (RFC 6749 §3.3)")]
    Word(usize),
    /// A route that asks for nothing, where that is what every other request needs, too.
    #[error("route {0}: names no scope and no role, which says something only with \"unmatched\": \"deny\"")]
    AsksNothing(usize),
    /// No request would ever pass.
    #[error("\"unmatched\": \"deny\" without a route denies everything")]
    DeniesAll,
}

impl RoutePolicy {
    /// Reads a policy and checks all of it.
    ///
    /// # Errors
    ///
    /// [`PolicyError`].
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        let policy: Self = serde_json::from_str(json)?;
        for (at, route) in policy.routes.iter().enumerate() {
            route.check(at, policy.unmatched)?;
        }
        if policy.unmatched == Unmatched::Deny && policy.routes.is_empty() {
            return Err(PolicyError::DeniesAll);
        }
        Ok(policy)
    }

    /// Whether a caller with these rights may make this request.
    pub fn admits<'a>(&self, rights: impl Into<Rights<'a>>, target: Target<'_>) -> bool {
        let rights = rights.into();
        let mut matching = self.routes.iter().filter(|route| route.matches(target)).peekable();
        (matching.peek().is_some() || self.unmatched == Unmatched::Allow) && matching.all(|route| route.admits(rights))
    }

    /// The same for every request at once: what IAM is to allow, and what of that it is to deny.
    pub(crate) fn extent(&self, rights: Rights<'_>) -> Extent {
        let targets = |admitted: bool| {
            let routes = self.routes.iter().filter(move |route| route.admits(rights) == admitted);
            routes.flat_map(Route::targets).collect()
        };
        let allowed = match self.unmatched {
            Unmatched::Allow => vec!["*".to_owned()],
            Unmatched::Deny => targets(true),
        };
        Extent { allowed, denied: targets(false) }
    }
}

/// Patterns of what stands behind the stage in an ARN. A request is admitted if one of `allowed` and none of `denied`
/// matches it.
#[derive(Debug)]
pub(crate) struct Extent {
    pub(crate) allowed: Vec<String>,
    pub(crate) denied: Vec<String>,
}

impl Route {
    fn check(&self, at: usize, unmatched: Unmatched) -> Result<(), PolicyError> {
        if !(METHODS.contains(&self.method.as_str()) || self.method == "*" || self.method == CONNECT) {
            return Err(PolicyError::Method(at));
        }
        if self.path.is_none() != (self.method == CONNECT) {
            return Err(PolicyError::Path(at));
        }
        let mut asked = self.asked().peekable();
        if asked.peek().is_none() && unmatched == Unmatched::Allow {
            return Err(PolicyError::AsksNothing(at));
        }
        if asked.all(is_word) { Ok(()) } else { Err(PolicyError::Word(at)) }
    }

    fn asked(&self) -> impl Iterator<Item = &str> {
        let words = [&self.all_scopes, &self.any_scopes, &self.all_roles, &self.any_roles];
        words.into_iter().flatten().map(String::as_str)
    }

    fn admits(&self, rights: Rights<'_>) -> bool {
        self.all_scopes.iter().all(|word| rights.scope.contains(word))
            && self.all_roles.iter().all(|word| rights.roles.contains(word))
            && (self.any_scopes.is_empty() || self.any_scopes.iter().any(|word| rights.scope.contains(word)))
            && (self.any_roles.is_empty() || self.any_roles.iter().any(|word| rights.roles.contains(word)))
    }

    fn matches(&self, target: Target<'_>) -> bool {
        match (target, &self.path) {
            (Target::Connect, None) => true,
            (Target::Http { method, path }, Some(pattern)) => {
                self.methods().any(|own| own == method) && pattern.matches(path)
            }
            _ => false,
        }
    }

    /// One by one, because IAM's `*` would run on into the path: `*/me` is `GET/other/me`, too.
    fn methods(&self) -> impl Iterator<Item = &'static str> {
        METHODS.into_iter().filter(|method| self.method == "*" || self.method == *method)
    }

    /// As they stand in an ARN behind the stage.
    fn targets(&self) -> Vec<String> {
        match &self.path {
            None => vec![CONNECT.to_owned()],
            Some(Pattern(path)) => self.methods().map(|method| format!("{method}{path}")).collect(),
        }
    }
}

/// Whether a token can have this scope or role.
fn is_word(word: &str) -> bool {
    !word.is_empty() && !word.contains(' ') && Scope::parse(word).is_ok()
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = path.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            // The earliest place leaves the most for what follows.
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

impl TryFrom<String> for Pattern {
    type Error = &'static str;

    /// Refuses what means something else in an IAM policy (`?`, `$`, `{`) or cannot stand in a path (RFC 3986 §3.3).
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/*-._~%!&'()+,;=:@".contains(&byte);
        if !text.starts_with('/') || text.len() > MAX_PATTERN_LENGTH {
            return Err("a path begins with a slash and has at most 256 characters");
        }
        if !text.bytes().all(plain) {
            return Err("a path has letters, digits, - . _ ~ % ! & ' ( ) + , ; = : @ and *; write * for a {parameter}");
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_of_characters() {
        let cases = [
            ("/me", "/me", true),
            ("/me", "/me/", false),
            ("/me", "/men", false),
            ("/orders/*", "/orders/", true),
            ("/orders/*", "/orders/1/items", true),
            ("/orders/*", "/orders", false),
            ("/*/items", "/orders/1/items", true),
            ("/*/items", "/orders/1/items/2", false),
            ("/a*b*b", "/ab", false),
            ("/a*b*b", "/abb", true),
            ("/a*b*b", "/axbxbxb", true),
            ("/*", "/", true),
            ("/**", "/x", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(Pattern::try_from(pattern.to_owned()).unwrap().matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_policy_is_checked_when_it_is_read() {
        let cases = [
            (r#"{"routes":[]}"#, ""),
            (r#"{"routes":[{"method":"GET","path":"/me","all_scopes":["a"]}]}"#, ""),
            (r#"{"routes":[{"method":"*","path":"/*","any_roles":["a"]}]}"#, ""),
            ("{}", "missing field `routes`"),
            (r#"{"routes":[{"method":"get","path":"/me","all_scopes":["a"]}]}"#, "route 0: the method"),
            (r#"{"routes":[{"method":"DELET","path":"/me","all_scopes":["a"]}]}"#, "route 0: the method"),
            (r#"{"routes":[{"method":"GET","path":"/me"}]}"#, "route 0: names no scope"),
            (r#"{"routes":[{"method":"GET","path":"/me"}],"unmatched":"allow"}"#, "route 0: names no scope"),
            (r#"{"routes":[{"method":"GET","path":"/me"}],"unmatched":"deny"}"#, ""),
            (r#"{"routes":[],"unmatched":"deny"}"#, "denies everything"),
            (r#"{"routes":[],"unmatched":"forbid"}"#, "unknown variant `forbid`"),
            (r#"{"routes":[{"method":"$connect","all_scopes":["a"]}]}"#, ""),
            (r#"{"routes":[{"method":"$connect","path":"/","all_scopes":["a"]}]}"#, "which has none"),
            (r#"{"routes":[{"method":"$default","all_scopes":["a"]}]}"#, "route 0: the method"),
            (r#"{"routes":[{"method":"GET","all_scopes":["a"]}]}"#, "has a path"),
            (r#"{"routes":[{"method":"GET","path":"/me","any_scopes":["a b"]}]}"#, "route 0: a scope or role"),
            (r#"{"routes":[{"method":"GET","path":"/me","any_roles":["a",""]}]}"#, "route 0: a scope or role"),
            (r#"{"routes":[{"method":"GET","path":"me","all_scopes":["a"]}]}"#, "begins with a slash"),
            (r#"{"routes":[{"method":"GET","path":"/a?","all_scopes":["a"]}]}"#, "write * for"),
            (r#"{"routes":[{"method":"GET","path":"/${aws:x}","all_scopes":["a"]}]}"#, "write * for"),
            (r#"{"routes":[{"method":"GET","path":"/{id}","all_scopes":["a"]}]}"#, "write * for"),
            (r#"{"routes":[{"method":"GET","path":"/me","scopes":["a"]}]}"#, "unknown field `scopes`"),
        ];
        for (json, expected) in cases {
            let error = RoutePolicy::parse(json).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{json}: {error}");
        }
    }
}
