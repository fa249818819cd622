//! What holds when a fault is gone and its operation was answered, and what holds of every answer and every log.

use std::path::Path;

use auth_core::session::EndCause;

use crate::outages::answer::Answer;
use crate::outages::operation::{Afterwards, Expected, Operation};
use crate::outages::place::Place;
use crate::outages::world::World;

impl Place {
    /// That the operation has had its effect, and no other; `answer` is what the client has of it.
    pub(crate) async fn check(&self, operation: &Operation, answer: &Answer, world: &World) -> Result<(), String> {
        let kept = answer.refresh_token().unwrap_or(&world.presented);
        match operation.afterwards {
            Afterwards::GoesOn => self.check_goes_on(kept).await?,
            Afterwards::SignedIn => {
                self.check_goes_on(kept).await?;
                self.check_can_sign_in(world).await?;
            }
            Afterwards::CanSignIn => self.check_can_sign_in(world).await?,
            Afterwards::Over(cause) => self.check_over(world, cause).await?,
            Afterwards::Out => self.check_out(world).await?,
            Afterwards::TokenRevoked => {
                let revoked = self.ground.store.is_token_revoked(&world.access.1.to_string()).await.unwrap();
                ensure(revoked, || "the access token was not revoked".to_owned())?;
                self.check_goes_on(kept).await?;
            }
        }
        self.ground.check_bystanders(world, operation.setting).await
    }

    /// At once, and when the token is used up by it.
    async fn check_goes_on(&self, token: &str) -> Result<(), String> {
        let token = self.refreshed(token).await?;
        self.ground.rest(&token).await;
        let next = self.refreshed(&token).await?;
        ensure(next != token, || "a token that has rested was not rotated".to_owned())
    }

    async fn refreshed(&self, token: &str) -> Result<String, String> {
        let answer = self.refresh(token).await?;
        expect(&answer, Expected::Tokens, "going on")?;
        Ok(answer.refresh_token().unwrap_or_default().to_owned())
    }

    async fn check_can_sign_in(&self, world: &World) -> Result<(), String> {
        expect(&self.sign_in(world).await?, Expected::Tokens, "signing in")?;
        let failures = self.ground.failures(&world.user).await;
        ensure(failures == "0", || format!("{failures} failures are not forgotten"))
    }

    async fn check_over(&self, world: &World, cause: EndCause) -> Result<(), String> {
        let found = self.ground.store.session(world.user.id, world.session.id).await.unwrap();
        let ended = found.as_ref().and_then(|session| session.ended.as_ref());
        ensure(ended.is_some_and(|end| end.cause == cause), || format!("not ended by {cause:?}: {found:?}"))?;
        self.check_out(world).await
    }

    async fn check_out(&self, world: &World) -> Result<(), String> {
        let newest = self.ground.newest_token(&world.session);
        expect(&self.refresh(&newest).await?, Expected::Refused, "the newest token of what is over")
    }
}

pub(crate) fn expect(answer: &Answer, expected: Expected, when: &str) -> Result<(), String> {
    ensure(answer.is(expected), || format!("{when}: {expected:?} expected: {}", answer.told()))
}

pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Nothing secret, and no panic.
pub(crate) fn check_log(log: &Path, world: &World) -> Result<(), String> {
    let text = std::fs::read_to_string(log).unwrap();
    let found = ["csr_", "eyJ", "panicked", &world.password, &world.client_secret]
        .into_iter()
        .find(|secret| text.contains(secret));
    ensure(found.is_none(), || format!("the log has {found:?}: {text}"))
}
