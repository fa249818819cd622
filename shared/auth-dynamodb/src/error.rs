//! What can go wrong with the store. All of it is a fault of ours, never a verdict on a caller.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// A call to the store did not lead to an answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `DynamoDB` did not answer in time, or with an error that says nothing about the item.
    #[error("{operation}: {reason}")]
    Unavailable {
        /// The operation's name.
        operation: &'static str,
        /// What is known of the cause.
        reason: Reason,
    },
    /// An item does not have the shape that we write.
    #[error("a {0} item cannot be read")]
    Corrupt(&'static str),
}

/// Why a call did not lead to an answer. It quotes no message, which may hold what was sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The request was not built.
    #[error("request not built")]
    NotBuilt,
    /// It did not get through.
    #[error("not sent")]
    NotSent,
    /// No answer came in time.
    #[error("timed out")]
    TimedOut,
    /// The answer has another shape than it should have.
    #[error("answer not understood")]
    NotUnderstood,
    /// Parts of it were put off, again and again.
    #[error("not done in full")]
    Unprocessed,
    /// An error without a code.
    #[error("refused")]
    Refused,
    /// The error's code.
    #[error("{0}")]
    Code(String),
}

impl Reason {
    /// What is known of an error of any of the SDK's clients.
    pub fn of<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Self {
        let kind = match error {
            SdkError::ConstructionFailure(_) => Self::NotBuilt,
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(_) => Self::NotSent,
            SdkError::ResponseError(_) => Self::NotUnderstood,
            _ => Self::Refused,
        };
        error.code().map_or(kind, |code| Self::Code(code.to_owned()))
    }
}

impl StoreError {
    pub(crate) fn from_sdk<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Self {
        Self::Unavailable { operation, reason: Reason::of(error) }
    }
}
