//! `POST /logout`: the end of a session.

pub mod config;

mod request;

use std::sync::Arc;

use auth_core::rotation::Written;
use auth_core::session::{End, EndCause};
use auth_core::time::{Clock, UnixTime};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use auth_http::body::Unreadable;
use auth_http::browser::{BrowserRefused, Browsers};
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, Response};

use crate::config::Config;
use crate::request::LogoutRequest;

/// The function and what it holds.
pub struct App {
    config: Config,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl App {
    /// Sets the function up.
    pub fn new(config: Config, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { config, store, clock }
    }

    /// Whoever signs out with a token that is unknown, expired or of an ended session has what they want (RFC 7009 §2.2):
    /// 204, so that a repeated request is as good as the first.
    async fn logout(&self, request: &Request) -> Result<Response, Refusal> {
        let now = self.clock.now();
        let asked = LogoutRequest::parse(request, &self.config.browsers)?;
        if let Some(refresh_token) = &asked.refresh_token {
            self.end(refresh_token, now).await?;
        }
        Ok(asked.caller.signed_out())
    }

    /// Ends the session of a genuine token. Whoever holds one may, whatever its generation: an old one comes from the
    /// owner, whose last answer was lost, or from a thief, and then the session has to end, too.
    async fn end(&self, refresh_token: &str, now: UnixTime) -> Result<(), StoreError> {
        let Ok(presented) = self.config.refresh_keys.open(refresh_token) else { return Ok(()) }; // no I/O for it
        let (sub, sid) = (presented.user_id(), presented.session_id());
        let end = End { cause: EndCause::Logout, at: now };
        match self.store.end_session(sub, sid, &end, self.clock.now()).await? {
            Written::Done(_) | Written::Ended => tracing::info!(event = "logout", %sub, %sid),
            Written::Refused(_) => tracing::info!(event = "logout_repeated", %sub, %sid),
        }
        Ok(())
    }
}

impl Function for App {
    fn browsers(&self) -> &Browsers {
        &self.config.browsers
    }

    async fn answer(&self, request: Request) -> Response {
        let answered = match request.route.as_str() {
            "/logout" => self.logout(&request).await,
            _ => Err(Refusal::NoSuchRoute),
        };
        answered.unwrap_or_else(Refusal::into_response)
    }
}

/// Why nothing was ended.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("no such route")]
    NoSuchRoute,
    #[error(transparent)]
    Browser(#[from] BrowserRefused),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    fn into_response(self) -> Response {
        match &self {
            Self::Unreadable(error) => response::oauth_unreadable(*error),
            Self::NoSuchRoute => response::not_found(),
            Self::Browser(refused) => refused.into_response(),
            Self::Store(_) => {
                tracing::error!(event = "fault", error = %self);
                response::unavailable()
            }
        }
    }
}
