//! All issuers whose access tokens are believed: our own, and those that the configuration names.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use auth_core::config::{ConfigError, Variables};
use auth_core::foreign::unverified_issuer;
use auth_core::jwt::Rejection;
use auth_core::time::Clock;

use crate::fetch::Fetcher;
use crate::trusted::TrustedIssuer;

/// What names the others.
pub(crate) const VARIABLE: &str = "TRUSTED_ISSUERS";

/// The issuers whose access tokens are believed.
#[derive(Debug)]
pub struct Issuers {
    own: String,
    others: Vec<TrustedIssuer>,
}

/// Who is to judge a token.
#[derive(Debug)]
pub enum Named<'a> {
    /// Whoever judges our own.
    Own,
    /// One of the others.
    Other(&'a TrustedIssuer),
}

impl Issuers {
    /// `ISSUER` and `TRUSTED_ISSUERS`. Nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let others = variables.trusted_issuers()?.into_iter().map(TrustedIssuer::new);
        Ok(Self { own: variables.issuer()?, others: others.collect::<Result<_, _>>()? })
    }

    /// The same, with something to fetch keys, if any are to be fetched.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], where there are no root certificates.
    pub fn bind(self, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        if !self.others.iter().any(TrustedIssuer::is_unbound) {
            return Ok(self);
        }
        let unusable = |reason: String| ConfigError::Unusable { name: VARIABLE, reason };
        let fetcher = Fetcher::new().map_err(|error| unusable(error.to_string()))?;
        let others = self.others.into_iter().map(|issuer| issuer.bind(&fetcher, clock)).collect();
        Ok(Self { others, ..self })
    }

    /// Fetches the keys of all of them at the same time, as a start does before its first invocation. What fails is tried again
    /// when a token needs it.
    pub async fn load(&self) {
        let mut loads: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::with_capacity(self.others.len());
        loads.extend(self.others.iter().map(|issuer| Box::pin(issuer.load()) as _));
        std::future::poll_fn(|context| {
            loads.retain_mut(|load| load.as_mut().poll(context).is_pending());
            if loads.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Who is to judge a token, by the issuer that it names; without others, it is not looked at.
    ///
    /// # Errors
    ///
    /// [`Rejection`], when nobody could believe it.
    pub fn named_by(&self, token: &str) -> Result<Named<'_>, Rejection> {
        if self.others.is_empty() {
            return Ok(Named::Own);
        }
        let unverified_issuer = unverified_issuer(token)?;
        if unverified_issuer == self.own {
            return Ok(Named::Own);
        }
        let other = self.others.iter().find(|issuer| issuer.issuer() == unverified_issuer);
        other.map(Named::Other).ok_or(Rejection::WrongIssuer)
    }
}
