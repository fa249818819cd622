//! Transactions: what they are made of, and why one was not done.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use crate::error::StoreError;

/// An update as one of the writes of a transaction.
pub(crate) fn update(update: UpdateBuilder) -> Result<TransactWriteItem, StoreError> {
    let update = update.build().map_err(|_| StoreError::Corrupt("update"))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// One reason for each of its writes, in their order; none if the transaction was not cancelled.
pub(crate) fn reasons(error: Option<&TransactWriteItemsError>) -> &[CancellationReason] {
    match error {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        _ => &[],
    }
}

/// Whether the condition of this write was refused.
pub(crate) fn is_refused(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Whether nothing but another write to the same items at the same moment stood in the way.
pub(crate) fn is_conflict(error: &TransactWriteItemsError) -> bool {
    let is_harmless =
        |reason: &CancellationReason| matches!(reason.code(), None | Some("None" | "TransactionConflict"));
    let reasons = reasons(Some(error));
    !reasons.is_empty() && reasons.iter().all(is_harmless)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::error::TransactionCanceledException;

    use super::*;

    #[test]
    fn a_conflict_is_told_from_a_verdict() {
        let cases = [
            ("a conflict", ["None", "TransactionConflict"].as_slice(), true),
            ("a condition", &["None", "ConditionalCheckFailed"], false),
            ("a condition beside a conflict", &["ConditionalCheckFailed", "TransactionConflict"], false),
            ("throttled", &["ProvisionedThroughputExceeded", "None"], false),
            ("no reason", &[], false),
        ];
        for (name, codes, expected) in cases {
            let reasons = codes.iter().map(|code| CancellationReason::builder().code(*code).build());
            let cancelled = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons.collect()));
            let error = TransactWriteItemsError::TransactionCanceledException(cancelled.build());
            assert_eq!(is_conflict(&error), expected, "{name}");
        }
    }
}
