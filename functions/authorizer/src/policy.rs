//! What routes ask for, beyond a good access token.

use std::fmt;

use auth_core::claims::AccessClaims;
use auth_core::scope::Scope;
use serde::Deserialize;

/// The most that all patterns of a policy may add up to, in characters: as many fit into an IAM policy of 8 KB together
/// with the ARN that each is written behind.
const MAX_TOTAL_LENGTH: usize = 7 * 1024;

/// What stands around a pattern in the policy, at the most: quotes, comma, an ARN with a stage of 128 characters, a method.
const ARN_LENGTH: usize = 216;

/// The methods of API Gateway, and all of them. A misspelt one would leave its route open.
const METHODS: [&str; 8] = ["*", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The longest pattern of one route.
const MAX_PATTERN_LENGTH: usize = 256;

/// The routes that ask for something. A request must satisfy every route that matches it; one that none matches takes a
/// good access token and no more.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutePolicy {
    routes: Vec<Route>,
}

/// What one route asks for.
///
/// ```json
/// {"method": "DELETE", "path": "/orders/*", "all_scopes": ["orders:write"], "any_roles": ["clerk", "admin"]}
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    method: String,
    path: Pattern,
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
pub struct Pattern(String);

/// Why a route policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not the JSON of a policy.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A method that is none.
    #[error("route {0}: the method must be one of {METHODS:?}")]
    Method(usize),
    /// A scope or role that no token can have.
    #[error("route {0}: a scope or role is one word (RFC 6749 §3.3)")]
    Word(usize),
    /// A route that asks for nothing.
    #[error("route {0}: names no scope and no role")]
    AsksNothing(usize),
    /// More than a policy of the gateway can hold.
    #[error("the routes are too many or too long for one IAM policy of 8 KB")]
    TooLong,
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
            if !METHODS.contains(&route.method.as_str()) {
                return Err(PolicyError::Method(at));
            }
            let mut asked = route.asked().peekable();
            if asked.peek().is_none() {
                return Err(PolicyError::AsksNothing(at));
            }
            if !asked.all(is_word) {
                return Err(PolicyError::Word(at));
            }
        }
        let length: usize = policy.routes.iter().map(|route| route.path.0.len() + ARN_LENGTH).sum();
        if length > MAX_TOTAL_LENGTH { Err(PolicyError::TooLong) } else { Ok(policy) }
    }

    /// The routes whose demands these claims do not meet.
    pub fn closed_to<'a>(&'a self, claims: &'a AccessClaims) -> impl Iterator<Item = &'a Route> {
        self.routes.iter().filter(|route| !route.admits(claims))
    }
}

/// Whether a token can have this scope or role.
fn is_word(word: &str) -> bool {
    !word.is_empty() && !word.contains(' ') && Scope::parse(word).is_ok()
}

impl Route {
    fn asked(&self) -> impl Iterator<Item = &str> {
        let words = [&self.all_scopes, &self.any_scopes, &self.all_roles, &self.any_roles];
        words.into_iter().flatten().map(String::as_str)
    }

    fn admits(&self, claims: &AccessClaims) -> bool {
        self.all_scopes.iter().all(|word| claims.scope.contains(word))
            && self.all_roles.iter().all(|word| claims.roles.contains(word))
            && (self.any_scopes.is_empty() || self.any_scopes.iter().any(|word| claims.scope.contains(word)))
            && (self.any_roles.is_empty() || self.any_roles.iter().any(|word| claims.roles.contains(word)))
    }

    /// Whether a request is for this route.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        (self.method == "*" || self.method == method) && self.path.matches(path)
    }
}

/// `METHOD/path`, as it stands in an ARN.
impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.method, self.path.0)
    }
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

    #[test]
    fn both_sides_of_the_length() {
        let policy = |routes: usize| {
            let path = format!("/{}", "x".repeat(127));
            let route = format!(r#"{{"method":"GET","path":"{path}","all_scopes":["a"]}}"#);
            RoutePolicy::parse(&format!(r#"{{"routes":[{}]}}"#, vec![route; routes].join(",")))
        };
        assert!(policy(20).is_ok());
        assert!(matches!(policy(21), Err(PolicyError::TooLong)));
    }
}
