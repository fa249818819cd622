//! What believes access tokens: keys that the environment gives, or those in the table.

use std::sync::Arc;
use std::time::Duration;

use auth_core::claims::AccessClaims;
use auth_core::config::{ConfigError, Variables};
use auth_core::jwt::one_time::{OneTimeClaims, Purpose};
use auth_core::jwt::{Rejection, Verifier};
use auth_core::key_ring::KeyRing;
use auth_core::time::{Clock, UnixTime};
use auth_watch::key_watch::{KeyWatch, NoKeys};

use crate::key_watch::ring_watch;
use crate::store::Store;

/// So old may a copy of the keys be that is read again beside an answer, where killed keys are not heard of otherwise.
pub const SOFT: Duration = Duration::from_secs(15);

/// What believes access tokens.
#[derive(Debug)]
pub enum Verifiers {
    /// The keys that `JWKS` gives.
    Fixed(Verifier),
    /// The keys in the table, before it is known where that is: no token is believed.
    Unbound {
        /// The claim `iss`.
        issuer: String,
        /// The claim `aud`.
        audience: String,
    },
    /// The keys in the table.
    Table(Box<KeyWatch<Verifier>>),
}

impl Verifiers {
    /// `ISSUER`, `AUDIENCE`, and `JWKS`: without it, the keys are in the table.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let (issuer, audience) = (variables.issuer()?, variables.audience()?);
        Ok(match variables.fixed_key_set()? {
            Some(keys) => Self::Fixed(Verifier::new(issuer, audience, keys)),
            None => Self::Unbound { issuer, audience },
        })
    }

    /// Whether the table is needed.
    pub const fn needs_table(&self) -> bool {
        !matches!(self, Self::Fixed(_))
    }

    /// The same, with the keys of this table, if they are not fixed. Nothing is read yet.
    #[must_use]
    pub fn bind(self, store: &Store, clock: &Arc<dyn Clock>, soft: Duration) -> Self {
        let Self::Unbound { issuer, audience } = self else { return self };
        let make = move |ring: KeyRing, now| Ok(Verifier::new(issuer.clone(), audience.clone(), ring.key_set(now)?));
        Self::Table(Box::new(ring_watch(store.clone(), Arc::clone(clock), soft, make)))
    }

    /// Reads the keys, as a start does before its first invocation. If that fails, the first token waits for them.
    pub async fn load(&self) {
        if let Self::Table(watch) = self {
            let _ = watch.fresh().await;
        }
    }

    /// Brings the keys up to date in steps; never waits.
    pub async fn touch(&self) {
        if let Self::Table(watch) = self {
            watch.touch().await;
        }
    }

    /// Believes a token by the keys that are known, or says why not. Waits only if none are, or for a key that is not among
    /// them, which is looked up at most once in ten seconds.
    ///
    /// # Errors
    ///
    /// [`NoKeys`], also if a key that is not known could not be looked up.
    pub async fn verify(&self, token: &str, now: UnixTime) -> Result<Result<AccessClaims, Rejection>, NoKeys> {
        self.believe(|verifier| verifier.verify(token, now)).await
    }

    async fn believe<T>(
        &self,
        verify: impl Fn(&Verifier) -> Result<T, Rejection>,
    ) -> Result<Result<T, Rejection>, NoKeys> {
        match self {
            Self::Fixed(verifier) => Ok(verify(verifier)),
            Self::Unbound { .. } => Err(NoKeys),
            Self::Table(watch) => watch.judge(verify).await,
        }
    }

    /// The same by keys that are at most [`SOFT`] old, if the table answers: for whoever does not read the journal. What is forged
    /// is found out by the keys that are known, and costs no call.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub async fn verify_fresh(&self, token: &str, now: UnixTime) -> Result<Result<AccessClaims, Rejection>, NoKeys> {
        self.believe_fresh(|verifier| verifier.verify(token, now)).await
    }

    async fn believe_fresh<T>(
        &self,
        verify: impl Fn(&Verifier) -> Result<T, Rejection>,
    ) -> Result<Result<T, Rejection>, NoKeys> {
        let believed = self.believe(&verify).await?;
        match self {
            Self::Table(watch) if believed.is_ok() => Ok(verify(&*watch.fresh().await?)),
            _ => Ok(believed),
        }
    }

    /// Believes a one-time token for this purpose, likewise. [`Store::use_up`] says whether it was used.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub async fn verify_one_time(
        &self,
        token: &str,
        purpose: &Purpose,
        now: UnixTime,
    ) -> Result<Result<OneTimeClaims, Rejection>, NoKeys> {
        self.believe_fresh(|verifier| verifier.verify_one_time(token, purpose, now)).await
    }
}
