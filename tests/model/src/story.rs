//! A history as a dialogue, for whoever reads a counterexample.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use auth_core::rotation::{Write, Written};

use crate::event::Verdict;
use crate::gate::{Operation, Reply};
use crate::step::{Change, Fate};
use crate::world::Sender;

/// What was told so far.
#[derive(Default)]
pub(crate) struct Story {
    text: String,
    /// Tokens under short names, in the order in which they were met.
    names: BTreeMap<String, String>,
}

impl Story {
    pub(crate) fn tell(&mut self, seconds: u64, line: impl FnOnce(&mut Self) -> String) {
        let line = line(self);
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{seconds:>7} s  {line}");
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn token(&mut self, token: &str) -> String {
        let number = self.names.len();
        self.names.entry(token.to_owned()).or_insert_with(|| format!("T{number}")).clone()
    }

    pub(crate) fn verdict(&mut self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Granted { token, scope, .. } => format!("{} for \"{scope}\"", self.token(token)),
            Verdict::Refused => "invalid_grant".to_owned(),
            Verdict::Again => "come again".to_owned(),
        }
    }
}

pub(crate) fn who(sender: Sender) -> String {
    match sender {
        Sender::Owner(client) => format!("client {client}"),
        Sender::Thief => "the thief".to_owned(),
        Sender::Stranger => "a stranger".to_owned(),
    }
}

pub(crate) fn describe(operation: &Operation, reply: &Reply) -> String {
    let what = match operation {
        Operation::ReadUser => "reads the user",
        Operation::ReadSession => "reads the session",
        Operation::ReadJournal(_) => "reads the journal",
        Operation::Write(Write::Rotate { .. }, _) => "would rotate",
        Operation::Write(Write::Fork { .. }, _) => "would fork",
        Operation::Write(Write::End(_), _) => "would end the session",
    };
    let outcome = match reply {
        Reply::Written(Written::Done(_) | Written::Ended) => ", written",
        Reply::Written(Written::Refused(_)) => ", refused",
        Reply::User(_) | Reply::Session(_) | Reply::Journal(_) | Reply::Fault => "",
    };
    format!("{what}{outcome}")
}

impl Fate {
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DoneAndRepeated => "done, the SDK hears nothing and repeats it",
            Self::Fault => "not done, a fault",
            Self::DoneAndFault => "done, but reported as a fault",
            Self::CrashBefore => "not done, the instance dies",
            Self::CrashAfter => "done, the instance dies",
        }
    }
}

impl Change {
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Logout => "the owner signs out",
            Self::Disable => "the user is disabled",
            Self::Password => "the password changes",
            Self::Others => "all other sessions are ended",
            Self::LessScope => "the user loses a part of the scope",
            Self::WholeScope => "the user has the whole scope",
            Self::Delete => "the session is deleted",
            Self::BackUp => "the table is backed up",
            Self::Restore => "the table is restored",
        }
    }
}
