//! Configuration: read once, through a look-up, each value checked where it enters.

use std::fmt;
use std::net::Ipv6Addr;
use std::num::{NonZeroU8, NonZeroU16};
use std::str::FromStr;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::JwkSet;

use crate::foreign::terms::{self, Terms};
use crate::issuer::Issuer;
use crate::journal::{self, COPIES_BOUNDS, JournalPolicy};
use crate::key::{ALGORITHMS, KeyError, KeySet, SigningKey, publishable};
use crate::key_ring::{CustodyKind, ROTATION_DAYS_BOUNDS, RotationPolicy};
use crate::policy::{ACCESS_TTL_BOUNDS, SESSIONS_PER_USER_BOUNDS, SessionPolicy};
use crate::refresh_token::RefreshKeys;

/// A variable is missing or wrong, or two contradict each other. One line, without the value: it may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Required and not set, or set to nothing.
    #[error("{name} is not set: expected {expected}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it should hold.
        expected: String,
    },
    /// Set to something else.
    #[error("{name} is not valid: expected {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it should hold.
        expected: String,
    },
    /// Valid each, but not together.
    #[error("{0}")]
    Contradiction(String),
    /// What a variable names is not there, or is not as it must be.
    #[error("{name}: {reason}")]
    Unusable {
        /// The variable.
        name: &'static str,
        /// What is wrong with what it names.
        reason: String,
    },
}

/// The process's own environment, as a look-up.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variables of a function, behind a look-up so that tests and tools can give their own.
pub struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> Variables<'a> {
    /// Reads through `look_up`.
    pub const fn new(look_up: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(look_up)
    }

    /// A variable that may be absent; set to nothing is absent, too.
    pub fn optional(&self, name: &'static str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A variable that may be absent, parsed.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] when `parse` refuses it.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.optional(name) else { return Ok(None) };
        match parse(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(ConfigError::Invalid { name, expected: expected.to_owned() }),
        }
    }

    /// A variable that must be there, parsed.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Missing`], or [`ConfigError::Invalid`] when `parse` refuses it.
    pub fn required<T>(
        &self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.parsed(name, expected, parse)?.ok_or_else(|| ConfigError::Missing { name, expected: expected.to_owned() })
    }

    /// A JSON object, or the path of a file with it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] when there is no such file.
    pub fn document(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        self.text_or_file(name, '{', "a JSON object, or the path of a file with one")
    }

    /// What begins like this, or what is in the file that the value names.
    fn text_or_file(&self, name: &'static str, first: char, expected: &str) -> Result<Option<String>, ConfigError> {
        self.parsed(name, expected, |value| {
            let is_text = value.trim_start().starts_with(first);
            if is_text { Some(value.to_owned()) } else { std::fs::read_to_string(value).ok() }
        })
    }

    /// A variable that is `on` or `off`, or absent.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] when it is anything else.
    pub fn switch(&self, name: &'static str, default: bool) -> Result<bool, ConfigError> {
        let parse = |value: &str| match value {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        Ok(self.parsed(name, "on or off", parse)?.unwrap_or(default))
    }

    /// A number that may be absent, within bounds that are both allowed.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`], which calls the number `kind`.
    pub fn within<T>(&self, name: &'static str, kind: &str, bounds: (T, T)) -> Result<Option<T>, ConfigError>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        let (least, most) = bounds;
        self.parsed(name, &format!("{kind}, {least} to {most}"), |value| {
            value.parse().ok().filter(|number| (&least..=&most).contains(&number))
        })
    }

    fn seconds(&self, name: &'static str, default: Duration) -> Result<Duration, ConfigError> {
        let parse = |value: &str| value.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
        Ok(self.parsed(name, "a whole number of seconds", parse)?.unwrap_or(default))
    }

    /// `TABLE_NAME`: the table in `DynamoDB`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn table_name(&self) -> Result<String, ConfigError> {
        self.required("TABLE_NAME", "the name of a DynamoDB table", name_text)
    }

    /// `ISSUER`: the claim `iss`, a URL without query or fragment (RFC 8414 §2).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn issuer(&self) -> Result<String, ConfigError> {
        let expected = "an https URL without query, fragment or a slash at its end (http only on loopback)";
        self.required("ISSUER", expected, |value| is_issuer(value).then(|| value.to_owned()))
    }

    /// `AUDIENCE`: the claim `aud`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn audience(&self) -> Result<String, ConfigError> {
        self.required("AUDIENCE", "the name of the API that the tokens are for", name_text)
    }

    /// `DEFAULT_CLIENT_ID`: the claim `client_id` of tokens that `/login` mints.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn default_client_id(&self) -> Result<String, ConfigError> {
        let value = self.parsed("DEFAULT_CLIENT_ID", "a client identifier of printable ASCII", name_text)?;
        Ok(value.unwrap_or_else(|| "default".to_owned()))
    }

    /// `ACCESS_TOKEN_TTL_SECONDS`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn access_ttl(&self) -> Result<Duration, ConfigError> {
        let name = "ACCESS_TOKEN_TTL_SECONDS";
        let ttl = self.seconds(name, Duration::from_mins(10))?;
        let (least, most) = ACCESS_TTL_BOUNDS;
        if (least..=most).contains(&ttl) {
            return Ok(ttl);
        }
        Err(ConfigError::Invalid { name, expected: format!("{} to {} seconds", least.as_secs(), most.as_secs()) })
    }

    /// `REFRESH_REST_SECONDS`, `REFRESH_WINDOW_SECONDS`, `REFRESH_IDLE_TTL_SECONDS` and
    /// `REFRESH_ABSOLUTE_TTL_SECONDS`, checked against each other and against the access token's life.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variables.
    pub fn session_policy(&self) -> Result<SessionPolicy, ConfigError> {
        let default = SessionPolicy::default();
        let rest = self.seconds("REFRESH_REST_SECONDS", default.rest())?;
        let window = self.seconds("REFRESH_WINDOW_SECONDS", default.window())?;
        let idle = self.seconds("REFRESH_IDLE_TTL_SECONDS", default.idle())?;
        let absolute = self.seconds("REFRESH_ABSOLUTE_TTL_SECONDS", default.absolute())?;
        SessionPolicy::new(rest, window, idle, absolute, self.access_ttl()?)
            .map_err(|error| ConfigError::Contradiction(error.to_string()))
    }

    /// `SESSIONS_PER_USER`: how many sessions a user may have at a time; without it, any number.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn sessions_per_user(&self) -> Result<Option<NonZeroU16>, ConfigError> {
        let limit = self.within("SESSIONS_PER_USER", "a whole number", SESSIONS_PER_USER_BOUNDS)?;
        Ok(limit.and_then(NonZeroU16::new))
    }

    /// `JOURNAL_COPIES`: how many copies of the journal there are.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn journal_copies(&self) -> Result<NonZeroU8, ConfigError> {
        let copies = self.within("JOURNAL_COPIES", "a whole number", COPIES_BOUNDS)?;
        Ok(copies.and_then(NonZeroU8::new).unwrap_or(NonZeroU8::MIN))
    }

    /// `JOURNAL_COPIES`, and what follows from `ACCESS_TOKEN_TTL_SECONDS`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn journal_policy(&self) -> Result<JournalPolicy, ConfigError> {
        Ok(JournalPolicy { copies: self.journal_copies()?, keep: journal::keep(self.access_ttl()?) })
    }

    /// `REFRESH_KEYS`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn refresh_keys(&self) -> Result<RefreshKeys, ConfigError> {
        let expected = "ID:KEY, several separated by commas, ID from 0 to 255 and KEY at least 32 bytes in base64url";
        self.required("REFRESH_KEYS", expected, |value| RefreshKeys::parse(value).ok())
    }

    /// `SIGNING_ALGORITHM`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn signing_algorithm(&self) -> Result<Algorithm, ConfigError> {
        let parse = |value: &str| value.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm));
        let algorithm = self.parsed("SIGNING_ALGORITHM", "RS256, ES256, EdDSA or HS256", parse)?;
        Ok(algorithm.unwrap_or(Algorithm::RS256))
    }

    /// `SIGNING_ALGORITHM` of keys that rotate, `KEY_CUSTODY` and `ROTATION_DAYS`: how keys take turns.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn rotation_policy(&self) -> Result<RotationPolicy, ConfigError> {
        let algorithm = self.signing_algorithm()?;
        if algorithm == Algorithm::HS256 {
            let expected = "RS256, ES256 or EdDSA: a shared key does not rotate, SIGNING_KEY and JWKS hold it";
            return Err(ConfigError::Invalid { name: "SIGNING_ALGORITHM", expected: expected.to_owned() });
        }
        let custody = self.parsed("KEY_CUSTODY", "secret or kms", |value| {
            [CustodyKind::Secret, CustodyKind::Kms].into_iter().find(|kind| kind.name() == value)
        })?;
        let custody = custody.unwrap_or_default();
        if custody == CustodyKind::Kms && algorithm == Algorithm::EdDSA {
            let contradiction = "KEY_CUSTODY=kms signs with RS256 or ES256, not with the EdDSA of SIGNING_ALGORITHM";
            return Err(ConfigError::Contradiction(contradiction.to_owned()));
        }
        let (least, most) = ROTATION_DAYS_BOUNDS;
        let days = self.parsed("ROTATION_DAYS", &format!("a whole number of days, {least} to {most}"), |value| {
            value.parse().ok().filter(|days: &u16| (least..=most).contains(days))
        })?;
        Ok(RotationPolicy { algorithm, custody, every: Duration::from_hours(24) * u32::from(days.unwrap_or(90)) })
    }

    /// `SIGNING_ALGORITHM` and `SIGNING_KEY`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn signing_key(&self) -> Result<SigningKey, ConfigError> {
        let algorithm = self.signing_algorithm()?;
        let expected = format!(
            "a private key for {algorithm:?}: PKCS#8 PEM (RSA of at least 2048 bits), or base64url of at least 32 bytes \
             for HS256"
        );
        self.required("SIGNING_KEY", &expected, |value| SigningKey::parse(algorithm, value).ok())
    }

    /// What mints access tokens: `ISSUER`, `AUDIENCE`, `ACCESS_TOKEN_TTL_SECONDS`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn token_issuer(&self) -> Result<Issuer, ConfigError> {
        Ok(Issuer { iss: self.issuer()?, aud: self.audience()?, ttl: self.access_ttl()? })
    }

    /// `TRUSTED_ISSUERS`: whose tokens are believed beside those of `ISSUER`; nobody's without it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn trusted_issuers(&self) -> Result<Vec<Terms>, ConfigError> {
        let name = "TRUSTED_ISSUERS";
        let json = self.text_or_file(name, '[', "a JSON list of issuers, or the path of a file with one")?;
        let Some(json) = json else { return Ok(Vec::new()) };
        terms::parse(&json, &self.issuer()?)
            .map_err(|error| ConfigError::Invalid { name, expected: format!("a list of issuers ({error})") })
    }

    /// `JWKS`, if it is set: the keys that access tokens are checked with.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn fixed_key_set(&self) -> Result<Option<KeySet>, ConfigError> {
        self.optional("JWKS").map(|_| self.key_set()).transpose()
    }

    /// `JWKS`: the keys that access tokens are checked with.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn key_set(&self) -> Result<KeySet, ConfigError> {
        self.jwks().map(|(_, keys)| keys)
    }

    /// `JWKS`, as far as everyone may see it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn published_keys(&self) -> Result<JwkSet, ConfigError> {
        self.jwks().map(|(set, _)| publishable(set))
    }

    fn jwks(&self) -> Result<(JwkSet, KeySet), ConfigError> {
        let name = "JWKS";
        let unusable = |error: KeyError| ConfigError::Invalid { name, expected: format!("a usable JWK Set ({error})") };
        let expected = || "a JWK Set, or the path of a file with one".to_owned();
        let json = self.document(name)?.ok_or_else(|| ConfigError::Missing { name, expected: expected() })?;
        let set = serde_json::from_str::<JwkSet>(&json);
        let set = set.map_err(|_| ConfigError::Invalid { name, expected: expected() })?;
        let keys = KeySet::from_jwks(&set).map_err(unusable)?;
        Ok((set, keys))
    }
}

/// A name: printable ASCII without spaces, short.
fn name_text(value: &str) -> Option<String> {
    let is_name = value.len() <= 128 && value.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then(|| value.to_owned())
}

fn is_issuer(value: &str) -> bool {
    path_of(value).is_some_and(|path| path.bytes().all(is_plain) && !path.ends_with('/'))
}

/// A URL of a document: an issuer's, but for a query and a slash at its end.
pub(crate) fn is_document_url(value: &str) -> bool {
    path_of(value).is_some_and(|path| path.bytes().all(|byte| is_plain(byte) || byte == b'?'))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte)
}

/// The path of an https URL, or of an http URL on loopback, with all that follows it.
fn path_of(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // What follows the last colon is a port, or the end of an IPv6 address.
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    // No user information among them: `http://localhost:80@evil.example` is not on loopback.
    let named =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).and_then(|host| host.parse().ok());
    let reachable = match scheme {
        "https" => named || address.is_some(),
        "http" => matches!(host, "localhost" | "127.0.0.1") || address == Some(Ipv6Addr::LOCALHOST),
        _ => false,
    };
    reachable.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyError;
    use crate::policy::PolicyError;
    use crate::test_keys;

    const REFRESH_KEY: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    /// A file that holds a JSON object, but no keys.
    const RFC_VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/rfc.json");

    /// What a good configuration sets.
    fn good(name: &str) -> Option<String> {
        let value = match name {
            "ISSUER" => "https://auth.example",
            "AUDIENCE" => "https://api.example",
            "REFRESH_KEYS" => REFRESH_KEY,
            "SIGNING_KEY" => test_keys::RSA,
            "JWKS" => return Some(set(Algorithm::ES256)),
            "TABLE_NAME" => "auth",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn set(algorithm: Algorithm) -> String {
        format!(r#"{{"keys":[{}]}}"#, serde_json::to_string(test_keys::signing_key(algorithm).jwk()).unwrap())
    }

    /// Reads everything, as if one function used all of it.
    fn read(variables: &Variables<'_>) -> Result<(), ConfigError> {
        variables.token_issuer()?;
        variables.signing_key()?;
        variables.default_client_id()?;
        variables.session_policy()?;
        variables.refresh_keys()?;
        variables.key_set()?;
        variables.published_keys()?;
        variables.table_name()?;
        Ok(())
    }

    /// Reads everything with one variable set to something else.
    fn read_with(name: &str, value: Option<&str>) -> Result<(), ConfigError> {
        read(&Variables::new(&|asked| if asked == name { value.map(str::to_owned) } else { good(asked) }))
    }

    #[test]
    fn the_defaults_are_those_of_the_design() {
        let variables = Variables::new(&good);
        assert_eq!(variables.access_ttl(), Ok(Duration::from_mins(10)));
        assert_eq!(variables.default_client_id().unwrap(), "default");
        let policy = variables.session_policy().unwrap();
        let actual = [policy.rest(), policy.window(), policy.idle(), policy.absolute()].map(|life| life.as_secs());
        assert_eq!(actual, [90, 10, 30 * 86_400, 180 * 86_400]);
        let issuer = variables.token_issuer().unwrap();
        assert_eq!((issuer.iss, issuer.aud), ("https://auth.example".to_owned(), "https://api.example".to_owned()));
        let algorithm = Variables::new(&good).signing_key().unwrap().algorithm();
        assert_eq!((issuer.ttl, algorithm), (Duration::from_mins(10), Algorithm::RS256));
        assert!(variables.key_set().is_ok() && variables.refresh_keys().is_ok());
    }

    #[test]
    fn a_missing_variable_is_named_with_what_was_expected() {
        let cases = [
            ("ISSUER", "an https URL without query, fragment or a slash at its end (http only on loopback)"),
            ("AUDIENCE", "the name of the API that the tokens are for"),
            (
                "REFRESH_KEYS",
                "ID:KEY, several separated by commas, ID from 0 to 255 and KEY at least 32 bytes in base64url",
            ),
            (
                "SIGNING_KEY",
                "a private key for RS256: PKCS#8 PEM (RSA of at least 2048 bits), or base64url of at least 32 bytes for \
                 HS256",
            ),
            ("JWKS", "a JWK Set, or the path of a file with one"),
            ("TABLE_NAME", "the name of a DynamoDB table"),
        ];
        for (name, expected) in cases {
            for value in [None, Some("")] {
                let error = read_with(name, value).unwrap_err();
                assert_eq!(error, ConfigError::Missing { name, expected: expected.to_owned() }, "{name}");
                assert_eq!(error.to_string(), format!("{name} is not set: expected {expected}"), "{name}");
            }
        }
        for optional in ["DEFAULT_CLIENT_ID", "ACCESS_TOKEN_TTL_SECONDS", "SIGNING_ALGORITHM", "REFRESH_REST_SECONDS"] {
            assert_eq!(read_with(optional, Some("")), Ok(()), "{optional}: set to nothing");
        }
    }

    #[test]
    fn a_wrong_variable_is_named_without_its_value() {
        let (es256, oct) = (test_keys::P256, set(Algorithm::HS256).replace("AAEC", "AA"));
        let long = "x".repeat(129);
        let seconds = "a whole number of seconds";
        let url = "an https URL without query, fragment or a slash at its end (http only on loopback)";
        let client = "a client identifier of printable ASCII";
        let keys = "ID:KEY, several separated by commas, ID from 0 to 255 and KEY at least 32 bytes in base64url";
        let pem = "a private key for RS256: PKCS#8 PEM (RSA of at least 2048 bits), or base64url of at least 32 bytes \
                   for HS256";
        let usable = |why: KeyError| format!("a usable JWK Set ({why})");
        let cases = [
            ("ISSUER", "auth.example", url.to_owned()),
            ("AUDIENCE", "two words", "the name of the API that the tokens are for".to_owned()),
            ("AUDIENCE", &long, "the name of the API that the tokens are for".to_owned()),
            ("DEFAULT_CLIENT_ID", "caf\u{e9}", client.to_owned()),
            ("DEFAULT_CLIENT_ID", "line\nbreak", client.to_owned()),
            ("ACCESS_TOKEN_TTL_SECONDS", "ten", seconds.to_owned()),
            ("ACCESS_TOKEN_TTL_SECONDS", "-600", seconds.to_owned()),
            ("ACCESS_TOKEN_TTL_SECONDS", "600.5", seconds.to_owned()),
            ("ACCESS_TOKEN_TTL_SECONDS", "600s", seconds.to_owned()),
            ("ACCESS_TOKEN_TTL_SECONDS", " 600", seconds.to_owned()),
            ("ACCESS_TOKEN_TTL_SECONDS", "4294967296", seconds.to_owned()),
            ("ACCESS_TOKEN_TTL_SECONDS", "179", "180 to 3600 seconds".to_owned()),
            ("ACCESS_TOKEN_TTL_SECONDS", "3601", "180 to 3600 seconds".to_owned()),
            ("REFRESH_REST_SECONDS", "soon", seconds.to_owned()),
            ("REFRESH_WINDOW_SECONDS", "none", seconds.to_owned()),
            ("REFRESH_IDLE_TTL_SECONDS", "30d", seconds.to_owned()),
            ("REFRESH_ABSOLUTE_TTL_SECONDS", "1e9", seconds.to_owned()),
            ("REFRESH_KEYS", "sekret", keys.to_owned()),
            ("REFRESH_KEYS", "1:sekret", keys.to_owned()),
            ("SIGNING_ALGORITHM", "none", "RS256, ES256, EdDSA or HS256".to_owned()),
            ("SIGNING_ALGORITHM", "PS256", "RS256, ES256, EdDSA or HS256".to_owned()),
            ("SIGNING_ALGORITHM", "rs256", "RS256, ES256, EdDSA or HS256".to_owned()),
            ("SIGNING_KEY", "sekret", pem.to_owned()),
            ("SIGNING_KEY", es256, pem.to_owned()),
            ("SIGNING_KEY", test_keys::RSA_1024, pem.to_owned()),
            ("SIGNING_KEY", test_keys::RSA_PUBLIC, pem.to_owned()),
            ("JWKS", "sekret", "a JSON object, or the path of a file with one".to_owned()),
            ("JWKS", RFC_VECTORS, "a JWK Set, or the path of a file with one".to_owned()),
            ("JWKS", "{sekret}", "a JWK Set, or the path of a file with one".to_owned()),
            ("TABLE_NAME", "my table", "the name of a DynamoDB table".to_owned()),
            ("JWKS", r#"{"keys":[]}"#, usable(KeyError::Set)),
            ("JWKS", &oct, usable(KeyError::Member(0))),
        ];
        for (name, value, expected) in cases {
            let Err(error) = read_with(name, Some(value)) else { panic!("{name}: {value}") };
            let text = error.to_string();
            assert_eq!(text, format!("{name} is not valid: expected {expected}"), "{value}");
            assert_eq!(error, ConfigError::Invalid { name, expected }, "{value}");
            assert!(!text.contains(value) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn the_bounds_of_the_access_life_are_within() {
        // Both leave room for the default rest of 90 s.
        for seconds in ["180", "3600"] {
            assert_eq!(read_with("ACCESS_TOKEN_TTL_SECONDS", Some(seconds)), Ok(()), "{seconds}");
        }
    }

    #[test]
    fn durations_that_contradict_each_other_are_named() {
        let cases = [
            ("REFRESH_WINDOW_SECONDS", "61", PolicyError::WindowTooLong),
            ("REFRESH_WINDOW_SECONDS", "31", PolicyError::RestTooShort),
            ("REFRESH_REST_SECONDS", "69", PolicyError::RestTooShort),
            ("REFRESH_REST_SECONDS", "301", PolicyError::RestTooLong),
            ("REFRESH_IDLE_TTL_SECONDS", "599", PolicyError::IdleTooShort),
            ("REFRESH_ABSOLUTE_TTL_SECONDS", "2591999", PolicyError::AbsoluteBelowIdle),
        ];
        for (name, value, expected) in cases {
            let error = read_with(name, Some(value)).unwrap_err();
            assert_eq!(error, ConfigError::Contradiction(expected.to_string()), "{name}={value}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn kms_signs_with_what_it_can() {
        let read = |custody: &str, algorithm: &str| {
            let look_up = |name: &str| match name {
                "KEY_CUSTODY" => Some(custody.to_owned()),
                "SIGNING_ALGORITHM" => Some(algorithm.to_owned()),
                _ => None,
            };
            Variables::new(&look_up).rotation_policy().map(|policy| policy.custody).map_err(|error| error.to_string())
        };
        for algorithm in ["RS256", "ES256"] {
            assert_eq!(read("kms", algorithm), Ok(CustodyKind::Kms));
            assert_eq!(read("secret", algorithm), Ok(CustodyKind::Secret));
        }
        let contradiction = "KEY_CUSTODY=kms signs with RS256 or ES256, not with the EdDSA of SIGNING_ALGORITHM";
        assert_eq!(read("kms", "EdDSA"), Err(contradiction.to_owned()));
        assert_eq!(read("KMS", "RS256"), Err("KEY_CUSTODY is not valid: expected secret or kms".to_owned()));
    }

    #[test]
    fn the_algorithm_decides_how_the_key_is_read() {
        let cases = [
            ("ES256", test_keys::P256, Ok(Algorithm::ES256)),
            ("EdDSA", test_keys::ED25519, Ok(Algorithm::EdDSA)),
            ("HS256", test_keys::HMAC, Ok(Algorithm::HS256)),
            ("RS256", test_keys::RSA, Ok(Algorithm::RS256)),
            ("ES256", test_keys::RSA, Err("a private key for ES256")),
            ("HS256", test_keys::RSA, Err("a private key for HS256")),
        ];
        for (algorithm, key, expected) in cases {
            let look_up = |name: &str| match name {
                "SIGNING_ALGORITHM" => Some(algorithm.to_owned()),
                "SIGNING_KEY" => Some(key.to_owned()),
                _ => None,
            };
            match (Variables::new(&look_up).signing_key(), expected) {
                (Ok(key), Ok(expected)) => assert_eq!(key.algorithm(), expected),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (actual, _) => panic!("{algorithm}: {actual:?}"),
            }
        }
    }

    #[test]
    fn keys_may_stand_in_a_file() {
        let path = std::env::temp_dir().join(format!("countersign-config-test-{}.json", std::process::id()));
        std::fs::write(&path, set(Algorithm::EdDSA)).unwrap();
        let result = read_with("JWKS", path.to_str());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn a_shared_key_is_not_published() {
        for (algorithm, expected) in [(Algorithm::ES256, 1), (Algorithm::HS256, 0)] {
            let look_up = |_: &str| Some(set(algorithm));
            assert_eq!(Variables::new(&look_up).published_keys().unwrap().keys.len(), expected, "{algorithm:?}");
        }
    }

    #[test]
    fn an_issuer_is_an_https_url_that_has_one_spelling() {
        let good = [
            "https://auth.example",
            "https://auth.example:8443",
            "https://auth.example/tenants/a-b_c~d/%20",
            "https://203.0.113.7",
            "https://[2001:db8::1]:8443/x",
            "https://a1b2c3.execute-api.eu-central-1.amazonaws.com/prod",
            "http://localhost",
            "http://localhost:3000",
            "http://localhost/prod",
            "http://127.0.0.1:3000/prod",
            "http://[::1]",
            "http://[::1]:3000",
        ];
        for issuer in good {
            assert_eq!(read_with("ISSUER", Some(issuer)), Ok(()), "{issuer}");
        }
        let bad = [
            "auth.example",
            "//auth.example",
            "https:auth.example",
            "https://",
            "https:///x",
            "https://:443",
            "https://auth.example:",
            "https://auth.example:70000",
            "https://auth.example:x",
            "https://auth.example/",
            "https://auth.example/x/",
            "https://auth.example?x=1",
            "https://auth.example/?",
            "https://auth.example#x",
            "https://auth.example/x y",
            " https://auth.example",
            "https://auth.example\n",
            "https://auth.example/\"x\"",
            "https://auth.example/<x>",
            "https://auth.example\\x",
            "https://user:password@auth.example",
            "https://\u{430}uth.example",
            "https://[auth.example]",
            "https://[::1",
            "HTTPS://auth.example",
            "ftp://auth.example",
            "http://auth.example",
            "http://localhost.evil.example",
            "http://localhost:3000@evil.example",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.2",
            "http://[::2]",
            "http://",
        ];
        for issuer in bad {
            let error = read_with("ISSUER", Some(issuer)).unwrap_err();
            assert!(error.to_string().starts_with("ISSUER is not valid"), "{issuer}: {error}");
        }
    }
}
