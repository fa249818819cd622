//! What the service knows of the issuer: its keys, fetched from where they are published.

use std::sync::Arc;

use auth_core::claims::AccessClaims;
use auth_core::jwt::{Rejection, Verifier};
use auth_core::key::KeySet;
use auth_core::time::Clock;
use auth_issuers::fetch::Fetcher;
use auth_issuers::trusted::PACE;
use auth_watch::key_watch::{KeyWatch, NoKeys};
use axum::http::Uri;

/// What believes access tokens of one issuer for one audience.
pub struct Tokens {
    keys: KeyWatch<Verifier>,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    /// Of the issuer whose JWK Set is at `jwks`. Nothing is fetched yet.
    pub fn new(issuer: &str, audience: &str, jwks: Uri, fetcher: Fetcher, clock: Arc<dyn Clock>) -> Self {
        let (issuer, audience) = (issuer.to_owned(), audience.to_owned());
        let keys = KeyWatch::new(Arc::clone(&clock), PACE, move |_| {
            let (issuer, audience, jwks, fetcher) = (issuer.clone(), audience.clone(), jwks.clone(), fetcher.clone());
            Box::pin(async move {
                let document =
                    fetcher.fetch(&jwks).await.inspect_err(|error| tracing::warn!(%error, "no keys")).ok()?;
                let keys = KeySet::parse(str::from_utf8(&document).ok()?);
                let keys = keys.inspect_err(|error| tracing::warn!(%error, "no keys")).ok()?;
                Some(Verifier::new(issuer, audience, keys))
            })
        });
        Self { keys, clock }
    }

    /// Believes a token, or says why not. A key that is not known is looked up, once in ten seconds.
    ///
    /// # Errors
    ///
    /// [`NoKeys`]: whether the token is good is not known.
    pub async fn verify(&self, token: &str) -> Result<Result<AccessClaims, Rejection>, NoKeys> {
        self.keys.touch().await;
        let now = self.clock.now();
        self.keys.judge(|verifier| verifier.verify(token, now)).await
    }
}
