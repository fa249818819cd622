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
        /// The error's code or kind; never a message, which may quote what was sent.
        reason: String,
    },
    /// An item does not have the shape that we write.
    #[error("a {0} item cannot be read")]
    Corrupt(&'static str),
}

impl StoreError {
    pub(crate) fn from_sdk<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Self {
        let kind = match error {
            SdkError::ConstructionFailure(_) => "request not built",
            SdkError::TimeoutError(_) => "timed out",
            SdkError::DispatchFailure(_) => "not sent",
            SdkError::ResponseError(_) => "answer not understood",
            _ => "refused",
        };
        let reason = error.code().unwrap_or(kind).to_owned();
        Self::Unavailable { operation, reason }
    }
}
