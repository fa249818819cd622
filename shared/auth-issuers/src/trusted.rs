//! One other issuer and its keys.

use std::sync::Arc;
use std::time::Duration;

use auth_core::config::ConfigError;
use auth_core::foreign::terms::{KeySource, Terms};
use auth_core::foreign::{ForeignClaims, ForeignVerifier};
use auth_core::jwt::Rejection;
use auth_core::time::{Clock, UnixTime};
use auth_watch::key_watch::{KeyWatch, NoKeys};
use auth_watch::pace::{Pace, RETRY};
use http::Uri;

use crate::fetch::Fetcher;
use crate::issuers::VARIABLE;

/// How old the keys of another issuer may be. The last good set serves for an hour while the issuer is down.
pub const PACE: Pace =
    Pace { soft: Duration::from_mins(5), firm: Duration::from_mins(10), hard: Duration::from_hours(1), respite: RETRY };

/// What believes access tokens of one other issuer.
#[derive(Debug)]
pub struct TrustedIssuer {
    terms: Arc<Terms>,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    /// In the configuration.
    Fixed(Box<ForeignVerifier>),
    /// At a URL, before there is anything to fetch them with: no token is believed.
    Unbound(Uri),
    /// At a URL.
    Watched(Box<KeyWatch<ForeignVerifier>>),
}

impl TrustedIssuer {
    /// Under these terms; nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], for keys or a URL that cannot be used.
    pub(crate) fn new(terms: Terms) -> Result<Self, ConfigError> {
        let unusable = |reason: String| ConfigError::Unusable { name: VARIABLE, reason };
        let terms = Arc::new(terms);
        let keys = match terms.keys() {
            KeySource::Inline(jwks) => ForeignVerifier::new(Arc::clone(&terms), jwks.as_bytes())
                .map(|verifier| Keys::Fixed(Box::new(verifier)))
                .map_err(|error| unusable(error.to_string()))?,
            KeySource::Uri(uri) => uri.parse().map(Keys::Unbound).map_err(|_| unusable(format!("{uri} is no URL")))?,
        };
        Ok(Self { terms, keys })
    }

    /// Whether its keys are to be fetched and nothing is there to do it.
    pub(crate) const fn is_unbound(&self) -> bool {
        matches!(self.keys, Keys::Unbound(_))
    }

    /// The same, with something to fetch its keys.
    pub(crate) fn bind(self, fetcher: &Fetcher, clock: &Arc<dyn Clock>) -> Self {
        let Keys::Unbound(uri) = self.keys else { return self };
        let watch = watch(Arc::clone(&self.terms), uri, fetcher.clone(), Arc::clone(clock));
        Self { keys: Keys::Watched(Box::new(watch)), ..self }
    }

    /// The claim `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        self.terms.issuer()
    }

    /// Fetches its keys.
    pub(crate) async fn load(&self) {
        if let Keys::Watched(watch) = &self.keys {
            let _ = watch.fresh().await; // the first token tries again
        }
    }

    /// Believes a token by the keys that are known, or says why not. Waits only if none are, if they are overdue, or for a key
    /// that is not among them, which is looked up at most once in ten seconds.
    ///
    /// # Errors
    ///
    /// [`NoKeys`]: whether the token is good is not known.
    pub async fn verify(&self, token: &str, now: UnixTime) -> Result<Result<ForeignClaims, Rejection>, NoKeys> {
        let watch = match &self.keys {
            Keys::Fixed(verifier) => return Ok(verifier.verify(token, now)),
            Keys::Unbound(_) => return Err(NoKeys),
            Keys::Watched(watch) => watch,
        };
        watch.touch().await;
        watch.judge(|verifier| verifier.verify(token, now)).await
    }
}

fn watch(terms: Arc<Terms>, uri: Uri, fetcher: Fetcher, clock: Arc<dyn Clock>) -> KeyWatch<ForeignVerifier> {
    KeyWatch::new(clock, PACE, move |_| {
        let (terms, uri, fetcher) = (Arc::clone(&terms), uri.clone(), fetcher.clone());
        Box::pin(async move {
            let iss = terms.issuer().to_owned();
            let fetched = fetcher.fetch(&uri).await.map_err(|error| error.to_string());
            let made = fetched.and_then(|jwks| ForeignVerifier::new(terms, &jwks).map_err(|error| error.to_string()));
            made.inspect_err(|error| tracing::warn!(event = "issuer_unreadable", iss, error)).ok()
        })
    })
}
