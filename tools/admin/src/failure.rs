//! Why a command was not done: one line that says what to do, and an exit code.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use auth_core::client::ClientId;
use auth_core::config::ConfigError;
use auth_core::entropy::NoEntropy;
use auth_core::generate::GenerateError;
use auth_core::id::SessionId;
use auth_core::login::LoginName;
use auth_dynamodb::error::{Reason, StoreError};
use auth_dynamodb::store::NoAccount;
use auth_keys::keeper::KeepError;
use auth_keys::refresh_keeper::RefreshKeepError;
use auth_keys::vault::VaultError;
use auth_password::hasher::HashError;
use auth_password::password::PasswordError;

use crate::help;
use crate::place::Place;

/// What a command that failed leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// One line.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

impl Report {
    /// What was said, on the command line or by a variable, cannot be taken.
    pub(crate) fn usage(error: impl fmt::Display) -> Self {
        Self { text: error.to_string(), code: 2 }
    }
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is no user \"{}\": `authctl user list` shows all", .0.as_str())]
    NoUser(LoginName),
    #[error("\"{}\" has no session {sid}: `authctl session list {}` shows all", .name.as_str(), .name.as_str())]
    NoSession { name: LoginName, sid: SessionId },
    #[error("there is no client \"{0}\": `authctl client list` shows all")]
    NoClient(ClientId),
    #[error(
        "there is a client \"{0}\" already: choose another identifier, or give it a new secret by `authctl client rotate {0}`"
    )]
    ClientTaken(ClientId),
    #[error("somebody else changed the client \"{0}\" at the same time: look again and repeat it")]
    ClientChangedMeanwhile(ClientId),
    #[error("there is a user \"{}\" already: choose another name", .0.as_str())]
    NameTaken(LoginName),
    #[error("somebody else changed \"{}\" at the same time: look again and repeat it", .0.as_str())]
    ChangedMeanwhile(LoginName),
    #[error("{0}")]
    Usage(String),
    #[error("not confirmed, nothing was done")]
    Declined,
    #[error("not confirmed, nothing was done: without a terminal to ask on, say --yes")]
    NobodyToAsk,
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error("there is no password: give it as the first line of standard input, in UTF-8")]
    NoPassword,
    #[error("the two passwords differ, nothing was done: try again")]
    PasswordsDiffer,
    #[error("the terminal: {0}")]
    Terminal(io::Error),
    #[error("the new key is not usable: {0}")]
    Unusable(#[from] ConfigError),
    #[error("{}: {reason}", .file.display())]
    File { file: PathBuf, reason: String },
    #[error("{} exists, and a secret is never overwritten: name a new file with --secret", .0.display())]
    SecretExists(PathBuf),
    #[error("{} exists, left by a run that was cut off: delete it, unless another one is under way", .0.display())]
    LeftOver(PathBuf),
    #[error(transparent)]
    NoKey(#[from] GenerateError),
    #[error(transparent)]
    NoHash(#[from] HashError),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    #[error("standard output: {0}")]
    Output(io::Error),
    #[error("nobody reads on")]
    ClosedPipe,
    #[error(transparent)]
    NoAccount(#[from] NoAccount),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the table is not as it must be: {0}")]
    WrongTable(String),
    #[error("there is no key \"{0}\": `authctl keys list` shows all")]
    UnknownKey(String),
    #[error(transparent)]
    Keys(ConfigError),
    #[error("nothing, or not all, was done: {0}; repeat the command")]
    Keeper(KeepError),
    #[error("{error}{}", what_to_do(error))]
    RefreshKeys {
        #[from]
        error: RefreshKeepError,
    },
}

impl From<KeepError> for Failure {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Store(error) => Self::Store(error),
            KeepError::NoKey(kid) => Self::UnknownKey(kid),
            error => Self::Keeper(error),
        }
    }
}

/// What an operator can do about keys of refresh tokens that were not changed.
fn what_to_do(error: &RefreshKeepError) -> &'static str {
    match error {
        RefreshKeepError::Vault(VaultError::Unavailable { .. }) => {
            ": check REFRESH_KEY_SECRET or KEY_FILE, AWS_REGION and AWS_PROFILE; what was to be changed may be done or not: \
             `authctl refresh-keys list` shows it"
        }
        RefreshKeepError::Busy => " at the same time: look again and repeat it",
        RefreshKeepError::NoKey(_) => ": `authctl refresh-keys list` shows all",
        RefreshKeepError::Only(_) => ": put another one before it by `authctl refresh-keys rotate`",
        RefreshKeepError::Vault(_)
        | RefreshKeepError::Entropy(_)
        | RefreshKeepError::Full
        | RefreshKeepError::Young(_) => "",
    }
}

impl Failure {
    pub(crate) fn file(file: &Path, reason: impl fmt::Display) -> Self {
        Self::File { file: file.to_owned(), reason: reason.to_string() }
    }

    /// The line for who was at `place`; nothing if all is well.
    pub(crate) fn report(&self, place: &Place) -> Option<Report> {
        let text = match self {
            Self::ClosedPipe => return None,
            Self::NoAccount(cause) => help::no_account(cause),
            Self::Store(error) => help::store_fault(error, place),
            other => other.to_string(),
        };
        Some(Report { text, code: self.exit_code() })
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Store(error) if is_conflict(error) => 4,
            Self::RefreshKeys { error } => match error {
                RefreshKeepError::Vault(_) | RefreshKeepError::Entropy(_) => 1,
                RefreshKeepError::Only(_) | RefreshKeepError::Full => 2,
                RefreshKeepError::NoKey(_) => 3,
                RefreshKeepError::Busy | RefreshKeepError::Young(_) => 4,
            },
            Self::Terminal(_)
            | Self::File { .. }
            | Self::NoKey(_)
            | Self::NoHash(_)
            | Self::NoEntropy(_)
            | Self::Unusable(_)
            | Self::Output(_)
            | Self::NoAccount(_)
            | Self::Store(_)
            | Self::WrongTable(_)
            | Self::Keeper(_) => 1,
            Self::Usage(_) | Self::Keys(_) | Self::Password(_) | Self::NoPassword | Self::PasswordsDiffer => 2,
            Self::NoUser(_) | Self::NoSession { .. } | Self::NoClient(_) | Self::UnknownKey(_) => 3,
            Self::NameTaken(_)
            | Self::ChangedMeanwhile(_)
            | Self::ClientTaken(_)
            | Self::ClientChangedMeanwhile(_)
            | Self::SecretExists(_)
            | Self::LeftOver(_) => 4,
            Self::Declined | Self::NobodyToAsk => 5,
        }
    }
}

fn is_conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { reason: Reason::Code(code), .. }
        if code == "TransactionCanceledException" || code == "TransactionConflictException")
}

/// A message of the command line's parser on one line, with what helps further.
pub fn usage_line(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or_default();
    let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{line} (--help shows what is possible)")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn coded(code: &str) -> Failure {
        StoreError::Unavailable { operation: "UpdateItem", reason: Reason::Code(code.to_owned()) }.into()
    }

    fn reasoned(reason: Reason) -> Failure {
        StoreError::Unavailable { operation: "Scan", reason }.into()
    }

    fn unreadable() -> RefreshKeepError {
        VaultError::Unavailable { operation: "GetSecretValue", reason: "not sent".to_owned() }.into()
    }

    fn name() -> LoginName {
        LoginName::parse("alice").unwrap()
    }

    fn client() -> ClientId {
        ClientId::parse("gateway").unwrap()
    }

    #[test]
    fn each_failure_is_one_line_that_helps_and_a_code() {
        let cases = [
            (coded("ResourceNotFoundException"), 1, "make it with `authctl table create`"),
            (coded("AccessDeniedException"), 1, "may not do UpdateItem on the table \"auth\""),
            (coded("UnrecognizedClientException"), 1, "check AWS_PROFILE"),
            (coded("ExpiredTokenException"), 1, "get new ones"),
            (coded("ThrottlingException"), 1, "try again"),
            (coded("ValidationException"), 1, "authctl table check"),
            (coded("TransactionCanceledException"), 4, "try again"),
            (coded("TransactionConflictException"), 4, "try again"),
            (coded("SomethingNew"), 1, "DynamoDB refused UpdateItem: SomethingNew"),
            (reasoned(Reason::NotSent), 1, "check the network and AWS_REGION"),
            (reasoned(Reason::TimedOut), 1, "try again"),
            (reasoned(Reason::NotUnderstood), 1, "check --endpoint"),
            (reasoned(Reason::Unprocessed), 1, "part of it was not done: try again"),
            (StoreError::Corrupt("user").into(), 1, "a user item of the table \"auth\" cannot be read"),
            (NoAccount::Region.into(), 1, "set AWS_REGION"),
            (NoAccount::Credentials.into(), 1, "set AWS_PROFILE"),
            (Failure::NoUser(name()), 3, "`authctl user list`"),
            (Failure::NameTaken(name()), 4, "choose another name"),
            (Failure::ChangedMeanwhile(name()), 4, "look again and repeat it"),
            (Failure::NoClient(client()), 3, "`authctl client list`"),
            (Failure::ClientTaken(client()), 4, "`authctl client rotate gateway`"),
            (Failure::ClientChangedMeanwhile(client()), 4, "look again and repeat it"),
            (Failure::UnknownKey("kid".to_owned()), 3, "`authctl keys list`"),
            (KeepError::Busy.into(), 1, "repeat the command"),
            (RefreshKeepError::Busy.into(), 4, "look again and repeat it"),
            (RefreshKeepError::NoKey(7).into(), 3, "`authctl refresh-keys list`"),
            (RefreshKeepError::Only(7).into(), 2, "`authctl refresh-keys rotate`"),
            (RefreshKeepError::Full.into(), 2, "drop one"),
            (RefreshKeepError::Young(Duration::from_millis(7001)).into(), 4, "try again in 8 s"),
            (unreadable().into(), 1, "check REFRESH_KEY_SECRET or KEY_FILE"),
            (Failure::Declined, 5, "nothing was done"),
            (Failure::PasswordsDiffer, 2, "try again"),
        ];
        let place = Place { table: "auth".to_owned(), endpoint: None };
        for (failure, code, expected) in cases {
            let report = failure.report(&place).unwrap();
            assert_eq!(report.code, code, "{report:?}");
            assert!(report.text.contains(expected) && !report.text.contains('\n'), "{report:?}");
        }
        assert_eq!(Failure::ClosedPipe.report(&place), None);
    }

    #[test]
    fn what_an_endpoint_does_is_said_of_it() {
        let place = Place { table: "auth".to_owned(), endpoint: "http://127.0.0.1:8000".parse().ok() };
        for reason in [Reason::NotSent, Reason::TimedOut, Reason::NotUnderstood, Reason::Unprocessed] {
            let report = reasoned(reason).report(&place).unwrap();
            assert!(report.text.contains("http://127.0.0.1:8000"), "{report:?}");
        }
    }

    #[test]
    fn a_parsers_message_becomes_one_line() {
        let message = "error: these are missing:\n  <NAME>\n\nUsage: authctl\n\nFor more information, try '--help'.\n";
        assert_eq!(usage_line(message), "error: these are missing: <NAME> (--help shows what is possible)");
    }
}
