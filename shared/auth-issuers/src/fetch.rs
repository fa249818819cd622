//! The way to another issuer's JWK Set: one request, bounded in time and length, to the URL that the configuration names and no
//! other.

use std::time::Duration;

use http::header::{ACCEPT, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;

/// So long a fetch takes at most, from the look-up of the name to the last byte.
pub const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Longer documents are not read: a hundred keys have less.
pub const MAX_LENGTH: usize = 64 * 1024;

/// What fetches documents. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Fetcher(Client<HttpsConnector<HttpConnector>, Empty<&'static [u8]>>);

/// There are no root certificates to check servers with.
#[derive(Debug, thiserror::Error)]
#[error("no root certificates: {0}")]
pub struct NoRoots(#[from] std::io::Error);

/// Why a document was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not within [`TIME_LIMIT`].
    #[error("no answer within {TIME_LIMIT:?}")]
    Late,
    /// No connection, no TLS, or no HTTP.
    #[error("no answer: {0}")]
    Connection(String),
    /// Another status than 200, such as a redirect, which is not followed.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// More than [`MAX_LENGTH`].
    #[error("the answer has more than {MAX_LENGTH} bytes")]
    TooLong,
}

impl Fetcher {
    /// With the system's root certificates. Connections are not kept: the next fetch is minutes away.
    ///
    /// # Errors
    ///
    /// [`NoRoots`].
    pub fn new() -> Result<Self, NoRoots> {
        // The provider is named here and not by a feature of hyper-rustls: features are what the SDK has, so that both are built once.
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(aws_lc_rs::default_provider())?;
        let connector = tls.https_or_http().enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)))
    }

    /// The document at a URL.
    ///
    /// # Errors
    ///
    /// [`FetchError`].
    pub async fn fetch(&self, uri: &Uri) -> Result<Vec<u8>, FetchError> {
        tokio::time::timeout(TIME_LIMIT, self.fetch_at_leisure(uri)).await.unwrap_or(Err(FetchError::Late))
    }

    async fn fetch_at_leisure(&self, uri: &Uri) -> Result<Vec<u8>, FetchError> {
        let request = Request::get(uri)
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, "countersign")
            .body(Empty::new())
            .map_err(|error| FetchError::Connection(error.to_string()))?;
        let response = self.0.request(request).await.map_err(|error| FetchError::Connection(causes(&error)))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_LENGTH).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { FetchError::TooLong } else { FetchError::Connection(error.to_string()) }
        })?;
        Ok(body.to_bytes().into())
    }
}

/// An error with what led to it: the client's own text says only that something failed.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
