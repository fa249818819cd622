//! What every command has at hand.

use std::io::Write;

use auth_core::login::LoginName;
use auth_core::time::{Clock as _, SystemClock, UnixTime};
use auth_core::user::User;
use auth_dynamodb::change::Changed;
use auth_dynamodb::store::Store;

use crate::ask;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) struct Context<W> {
    pub(crate) store: Store,
    pub(crate) output: Output<W>,
    pub(crate) yes: bool,
}

impl<W: Write> Context<W> {
    /// The user of a login name.
    pub(crate) async fn user(&self, name: &LoginName) -> Result<User, Failure> {
        let unknown = || Failure::NoUser(name.clone());
        let credentials = self.store.credentials(name).await?.ok_or_else(unknown)?;
        self.store.user(credentials.user_id).await?.ok_or_else(unknown)
    }

    /// Asks, unless the command line has the answer.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        ask::confirm_unless(self.yes, question)
    }
}

/// The user after a change, or why it was not made.
pub(crate) fn done(changed: Changed, name: &LoginName) -> Result<User, Failure> {
    match changed {
        Changed::Done(user) => Ok(user),
        Changed::Meanwhile => Err(Failure::ChangedMeanwhile(name.clone())),
        Changed::Gone => Err(Failure::NoUser(name.clone())),
    }
}

/// When a change is made: after all questions.
pub(crate) fn now() -> UnixTime {
    SystemClock.now()
}
