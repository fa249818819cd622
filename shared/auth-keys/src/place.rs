//! Which secrets, or which file.

use std::fmt;
use std::path::PathBuf;

use auth_core::config::{ConfigError, Variables};

const FILE: &str = "KEY_FILE";

/// What keys are for. Each kind has a secret of its own, because not everybody who recognises refresh tokens may sign; a file has
/// both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// They sign access tokens.
    Signing,
    /// They make and recognise refresh tokens.
    Refresh,
}

impl KeyKind {
    /// The variable that names the secret.
    pub const fn secret(self) -> &'static str {
        match self {
            Self::Signing => "KEY_SECRET",
            Self::Refresh => "REFRESH_KEY_SECRET",
        }
    }
}

/// Where keys are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A secret of Secrets Manager: its ARN or its name.
    Secret(KeyKind, String),
    /// A file on this machine, for development.
    File(PathBuf),
}

impl Place {
    /// `KEY_SECRET` or `REFRESH_KEY_SECRET`, or `KEY_FILE`: one of the two.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variables.
    pub fn from_variables(kind: KeyKind, variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let name = kind.secret();
        match (variables.optional(name), variables.optional(FILE)) {
            (Some(_), Some(_)) => Err(ConfigError::Contradiction(format!("{name} and {FILE} cannot both be set"))),
            (Some(secret), None) => Ok(Self::Secret(kind, secret)),
            (None, Some(file)) => Ok(Self::File(file.into())),
            (None, None) => {
                let expected = format!("the secret of Secrets Manager that holds the keys, or {FILE} a file");
                Err(ConfigError::Missing { name, expected })
            }
        }
    }

    /// Whether either variable is set.
    pub fn is_named(kind: KeyKind, variables: &Variables<'_>) -> bool {
        variables.optional(kind.secret()).is_some() || variables.optional(FILE).is_some()
    }

    /// That what is named cannot be used.
    pub fn unusable(&self, reason: impl fmt::Display) -> ConfigError {
        ConfigError::Unusable { name: self.variable(), reason: format!("{self}: {reason}") }
    }

    const fn variable(&self) -> &'static str {
        match self {
            Self::Secret(kind, _) => kind.secret(),
            Self::File(_) => FILE,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_, name) => formatter.write_str(name),
            Self::File(path) => path.display().fmt(formatter),
        }
    }
}
