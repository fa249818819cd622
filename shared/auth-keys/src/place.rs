//! Which secret, or which file.

use std::fmt;
use std::path::PathBuf;

use auth_core::config::{ConfigError, Variables};

const SECRET: &str = "KEY_SECRET";
const FILE: &str = "KEY_FILE";

/// Where keys are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A secret of Secrets Manager: its ARN or its name.
    Secret(String),
    /// A file on this machine, for development.
    File(PathBuf),
}

impl Place {
    /// `KEY_SECRET` or `KEY_FILE`, one of them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variables.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let both = || ConfigError::Contradiction(format!("{SECRET} and {FILE} cannot both be set"));
        match (variables.optional(SECRET), variables.optional(FILE)) {
            (Some(_), Some(_)) => Err(both()),
            (Some(secret), None) => Ok(Self::Secret(secret)),
            (None, Some(file)) => Ok(Self::File(file.into())),
            (None, None) => {
                let expected = format!("the secret of Secrets Manager that holds the keys, or {FILE} a file");
                Err(ConfigError::Missing { name: SECRET, expected })
            }
        }
    }

    /// Whether either variable is set.
    pub fn is_named(variables: &Variables<'_>) -> bool {
        variables.optional(SECRET).is_some() || variables.optional(FILE).is_some()
    }

    /// The variable that names it.
    pub const fn variable(&self) -> &'static str {
        match self {
            Self::Secret(_) => SECRET,
            Self::File(_) => FILE,
        }
    }

    /// That what is named cannot be used.
    pub fn unusable(&self, reason: impl fmt::Display) -> ConfigError {
        ConfigError::Unusable { name: self.variable(), reason: format!("{self}: {reason}") }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => formatter.write_str(name),
            Self::File(path) => path.display().fmt(formatter),
        }
    }
}
