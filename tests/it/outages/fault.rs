//! What goes wrong between a function and the engine, and the answers that stand for it.

use serde_json::{Value, json};

/// What becomes of one attempt at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is reset, and new ones are refused.
    Refused,
    /// The connection is reset before the request is read.
    ResetUnread,
    /// The engine has done it; the connection is reset in the middle of the answer.
    ResetMidAnswer,
    /// The engine has done it; the connection is closed instead of an answer.
    AnswerLost,
    /// The engine has done it; the answer comes a byte at a time, over seconds.
    Drip,
    /// The engine has done it; the answer ends before the length that it promised.
    ShortBody,
    /// The engine has done it; the answer is half a JSON document, in full.
    TruncatedJson,
    /// The engine does nothing, and says this.
    Error(u16, &'static str),
    /// The engine does nothing: a transaction is under way on the same item.
    Conflict,
    /// The request waits, for ever, before the engine hears of it.
    HeldBefore,
    /// The engine has done it; its answer waits, for ever.
    HeldAfter,
}

/// What the cells go through, by name.
pub(crate) const FAULTS: [(&str, Fault); 11] = [
    ("connection refused", Fault::Refused),
    ("reset unread", Fault::ResetUnread),
    ("reset mid-answer", Fault::ResetMidAnswer),
    ("answer lost", Fault::AnswerLost),
    ("slow drip", Fault::Drip),
    ("short body", Fault::ShortBody),
    ("truncated JSON", Fault::TruncatedJson),
    ("throughput exceeded", Fault::Error(400, "ProvisionedThroughputExceededException")),
    ("throttled", Fault::Error(400, "ThrottlingException")),
    ("internal error", Fault::Error(500, "InternalServerError")),
    ("conflict", Fault::Conflict),
];

impl Fault {
    /// Whether the SDK makes it good by itself if it happens once. An answer that is whole and not understood is not asked for
    /// again, and a refusal of connections may outlast the SDK's three attempts; then the client comes back.
    pub(crate) fn is_hidden(self) -> bool {
        !matches!(self, Self::Refused | Self::TruncatedJson)
    }

    /// Whether it can happen to this operation: reads meet no conflicts, but in transactions.
    pub(crate) fn happens_to(self, operation: &str) -> bool {
        self != Self::Conflict || matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems")
    }
}

/// An answer of the engine, or one in its name.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::made(status, &json!({"__type": type_name(code), "message": "planned"}))
    }

    /// As the engine says it of this request.
    pub(crate) fn conflict(operation: &str, request: &[u8]) -> Self {
        if operation != "TransactWriteItems" {
            return Self::error(400, "TransactionConflictException");
        }
        let request: Value = serde_json::from_slice(request).unwrap();
        let writes = request["TransactItems"].as_array().unwrap().iter().enumerate();
        let reasons = writes.map(|(at, _)| json!({"Code": if at == 0 { "TransactionConflict" } else { "None" }}));
        let reasons: Vec<Value> = reasons.collect();
        let code = type_name("TransactionCanceledException");
        Self::made(400, &json!({"__type": code, "Message": "planned", "CancellationReasons": reasons}))
    }

    fn made(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string().into_bytes() }
    }

    /// The whole of it, as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { status, body } = self;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }

    /// Half of the body, as if that were all.
    pub(crate) fn truncated(self) -> Self {
        let half = self.body.len() / 2;
        Self { body: self.body.into_iter().take(half).collect(), ..self }
    }
}

fn type_name(code: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{code}")
}
