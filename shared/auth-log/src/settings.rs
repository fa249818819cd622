//! What a log says, and of whom.

use auth_core::config::{ConfigError, Variables};
use tracing::Level;

/// The longest name of a deployment. (A dimension may have 1,024 characters, a stack's name has 128.)
const MAX_DEPLOYMENT_LENGTH: usize = 255;

/// How a log is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose log it is: the function's name, the dimension `service`.
    pub service: &'static str,
    /// The least severe level that is heard.
    pub level: Level,
    /// The dimension `deployment` of metrics. Without it there are none.
    pub deployment: Option<String>,
}

impl Settings {
    /// A log at level `INFO`, without metrics.
    pub const fn new(service: &'static str) -> Self {
        Self { service, level: Level::INFO, deployment: None }
    }

    /// Reads `LOG_LEVEL` or, from Lambda's own settings, `AWS_LAMBDA_LOG_LEVEL`; and `DEPLOYMENT`.
    ///
    /// There are metrics where `AWS_LAMBDA_FUNCTION_NAME` says that Lambda runs the function: nobody else reads them, and on
    /// a terminal they would hide the log.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn from_variables(service: &'static str, variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let asked = variables.parsed("LOG_LEVEL", "TRACE, DEBUG, INFO, WARN or ERROR", |level| level.parse().ok())?;
        let lambdas = || variables.optional("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.parse().ok());
        let level = asked.or_else(lambdas).unwrap_or(Level::INFO);
        let expected = format!("1 to {MAX_DEPLOYMENT_LENGTH} printable ASCII characters without spaces");
        let deployment = variables.parsed("DEPLOYMENT", &expected, deployment)?;
        let deployment = deployment.unwrap_or_else(|| "local".to_owned());
        let on_lambda = variables.optional("AWS_LAMBDA_FUNCTION_NAME").is_some();
        Ok(Self { service, level, deployment: on_lambda.then_some(deployment) })
    }
}

fn deployment(value: &str) -> Option<String> {
    let is_name = value.len() <= MAX_DEPLOYMENT_LENGTH && value.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let look_up = |name: &str| given.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
        Settings::from_variables("login", &Variables::new(&look_up))
    }

    #[test]
    fn metrics_are_for_lambda_and_the_own_level_goes_before_lambdas() {
        let lambda = ("AWS_LAMBDA_FUNCTION_NAME", "stack-Login-1");
        let local = || Some("local".to_owned());
        let cases = [
            ("nothing", [].as_slice(), Level::INFO, None),
            ("a name without Lambda", &[("DEPLOYMENT", "prod")], Level::INFO, None),
            ("Lambda", &[lambda], Level::INFO, local()),
            ("a name", &[lambda, ("DEPLOYMENT", "prod")], Level::INFO, Some("prod".to_owned())),
            ("a name set to nothing", &[lambda, ("DEPLOYMENT", "")], Level::INFO, local()),
            ("Lambda's level", &[lambda, ("AWS_LAMBDA_LOG_LEVEL", "ERROR")], Level::ERROR, local()),
            ("both", &[("LOG_LEVEL", "DEBUG"), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")], Level::DEBUG, None),
        ];
        for (name, given, level, deployment) in cases {
            assert_eq!(read(given), Ok(Settings { service: "login", level, deployment }), "{name}");
        }
    }

    #[test]
    fn a_deployment_is_a_dimension_value() {
        let longest = "x".repeat(255);
        for good in ["prod", "stack-1", "a/b:c_d", "~", longest.as_str()] {
            assert!(read(&[("DEPLOYMENT", good)]).is_ok(), "{good}");
        }
        let longer = "x".repeat(256);
        for bad in ["two words", "tab\t", "line\nbreak", "caf\u{e9}", longer.as_str()] {
            let error = read(&[("DEPLOYMENT", bad)]).unwrap_err().to_string();
            assert!(
                error.starts_with("DEPLOYMENT is not valid: expected 1 to 255 ") && !error.contains(bad),
                "{error}"
            );
        }
        assert!(read(&[("LOG_LEVEL", "LOUD")]).unwrap_err().to_string().starts_with("LOG_LEVEL is not valid"));
    }
}
