//! Configuration: read once, through a look-up, each value checked where it enters.

use std::time::Duration;

use jsonwebtoken::Algorithm;

use crate::issuer::Issuer;
use crate::jwt::Signer;
use crate::key::{ALGORITHMS, KeySet, SigningKey};
use crate::policy::{ACCESS_TTL_BOUNDS, SessionPolicy};
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

    fn seconds(&self, name: &'static str, default: Duration) -> Result<Duration, ConfigError> {
        let parse = |value: &str| value.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
        Ok(self.parsed(name, "a whole number of seconds", parse)?.unwrap_or(default))
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
        let day = Duration::from_hours(24);
        let rest = self.seconds("REFRESH_REST_SECONDS", Duration::from_secs(90))?;
        let window = self.seconds("REFRESH_WINDOW_SECONDS", Duration::from_secs(10))?;
        let idle = self.seconds("REFRESH_IDLE_TTL_SECONDS", 30 * day)?;
        let absolute = self.seconds("REFRESH_ABSOLUTE_TTL_SECONDS", 180 * day)?;
        SessionPolicy::new(rest, window, idle, absolute, self.access_ttl()?)
            .map_err(|error| ConfigError::Contradiction(error.to_string()))
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

    /// `SIGNING_ALGORITHM` and `SIGNING_KEY`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn signing_key(&self) -> Result<SigningKey, ConfigError> {
        let parse = |value: &str| value.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm));
        let algorithm =
            self.parsed("SIGNING_ALGORITHM", "RS256, ES256, EdDSA or HS256", parse)?.unwrap_or(Algorithm::RS256);
        let expected = format!(
            "a private key for {algorithm:?}: PKCS#8 PEM (RSA of at least 2048 bits), or base64url of at least 32 bytes \
             for HS256"
        );
        self.required("SIGNING_KEY", &expected, |value| SigningKey::parse(algorithm, value).ok())
    }

    /// What mints access tokens: `ISSUER`, `AUDIENCE`, `ACCESS_TOKEN_TTL_SECONDS`, `SIGNING_ALGORITHM`, `SIGNING_KEY`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn token_issuer(&self) -> Result<Issuer, ConfigError> {
        Ok(Issuer {
            iss: self.issuer()?,
            aud: self.audience()?,
            ttl: self.access_ttl()?,
            signer: Signer::new(self.signing_key()?),
        })
    }

    /// `JWKS`: the keys that access tokens are checked with.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn key_set(&self) -> Result<KeySet, ConfigError> {
        let name = "JWKS";
        let json = self.required(name, "a JWK Set", |value| Some(value.to_owned()))?;
        KeySet::parse(&json)
            .map_err(|error| ConfigError::Invalid { name, expected: format!("a usable JWK Set ({error})") })
    }
}

/// A name: printable ASCII without spaces, short.
fn name_text(value: &str) -> Option<String> {
    let is_name = value.len() <= 128 && value.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then(|| value.to_owned())
}

fn is_issuer(value: &str) -> bool {
    let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let is_loopback =
        |start: &str| value.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']));
    let host = value.strip_prefix("https://").unwrap_or_default();
    let secure = !host.is_empty() && !host.starts_with('/');
    let plain = value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\'));
    (secure || loopback.into_iter().any(is_loopback)) && plain && !value.ends_with('/')
}
