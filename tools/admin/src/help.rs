//! What a fault of the store says to an operator: the cause, and what to do.

use auth_dynamodb::error::{Reason, StoreError};
use auth_dynamodb::store::NoAccount;

use crate::place::Place;

pub(crate) fn no_account(cause: &NoAccount) -> String {
    let missing = match cause {
        NoAccount::Region => "set AWS_REGION, or AWS_PROFILE to a profile with a region",
        NoAccount::Credentials => {
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (if the profile's come from sso, a login or \
             a process: eval \"$(aws configure export-credentials --format env)\")"
        }
    };
    format!("{cause}: {missing}")
}

pub(crate) fn store_fault(error: &StoreError, place: &Place) -> String {
    match error {
        StoreError::Corrupt(kind) => {
            format!("a {kind} item of the table \"{}\" cannot be read: is it a table of this version?", place.table)
        }
        StoreError::Unavailable { operation, reason } => match reason {
            Reason::Code(code) => refused(operation, code, place),
            Reason::NotSent => match &place.endpoint {
                Some(endpoint) => format!("nothing answers at {endpoint}: is it running?"),
                None => "DynamoDB cannot be reached: check the network and AWS_REGION".to_owned(),
            },
            // Whoever writes the journal is not waited for.
            Reason::TimedOut if *operation == "TransactWriteItems" => {
                format!("{place} did not answer in time: it may be done or not; repeat the command until it says so")
            }
            Reason::TimedOut => format!("{place} did not answer in time: try again"),
            Reason::NotUnderstood | Reason::Refused | Reason::NotBuilt => {
                format!("the answer of {place} was not understood: check --endpoint, and proxies on the way")
            }
            Reason::Unprocessed => format!("{place} is too busy, part of it was not done: try again"),
        },
    }
}

/// What an error code of `DynamoDB` says to an operator.
fn refused(operation: &str, code: &str, place: &Place) -> String {
    let table = &place.table;
    match code {
        "ResourceNotFoundException" => {
            format!("there is no table \"{table}\": make it with `authctl table create`, or name another with --table")
        }
        "AccessDeniedException" => {
            format!("these AWS credentials may not do {operation} on the table \"{table}\": ask who gives them out")
        }
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException" => {
            format!("{place} does not know these AWS credentials: check AWS_PROFILE or AWS_ACCESS_KEY_ID")
        }
        "ExpiredTokenException" | "ExpiredToken" => "these AWS credentials have expired: get new ones".to_owned(),
        "ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded" => {
            format!("{place} is too busy: try again")
        }
        "TransactionCanceledException" | "TransactionConflictException" => {
            "somebody else is changing the same items, nothing was done: try again".to_owned()
        }
        "ValidationException" => {
            format!("{place} refused {operation}: check the name \"{table}\", and the table by `authctl table check`")
        }
        _ => format!("{place} refused {operation}: {code}"),
    }
}
