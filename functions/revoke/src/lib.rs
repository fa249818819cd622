//! `POST /logout` and `POST /oauth/revoke`: the end of sessions and of tokens.

pub mod config;

mod holder;
mod logout;
mod request;
mod revocation;

use std::sync::Arc;

use auth_core::id::{SessionId, UserId};
use auth_core::session::{End, EndCause};
use auth_core::time::{Clock, UnixTime};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::session::Ending;
use auth_dynamodb::store::Store;
use auth_http::bearer::NotBearer;
use auth_http::body::Unreadable;
use auth_http::browser::{BrowserRefused, Browsers};
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, Response};
use auth_watch::key_watch::NoKeys;

use crate::config::Config;
use crate::holder::NoAccess;

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

    /// Ends one session. Whoever holds a genuine token of it may, whatever its generation: an old one comes from the owner,
    /// whose last answer was lost, or from a thief, and then the session has to end, too.
    async fn end(&self, sub: UserId, sid: SessionId, cause: EndCause, now: UnixTime) -> Result<(), StoreError> {
        let end = End { cause, at: now };
        match self.store.end_session(sub, sid, &end, self.clock.now()).await? {
            Ending::Done => log_end(sub, sid, cause),
            Ending::Refused(_) => tracing::info!(event = "logout_repeated", %sub, %sid),
        }
        Ok(())
    }
}

fn log_end(sub: UserId, sid: SessionId, cause: EndCause) {
    if cause == EndCause::Replay {
        tracing::error!(event = "logout_replayed", %sub, %sid, Replays = 1);
    } else {
        tracing::info!(event = "logout", cause = cause.name(), %sub, %sid);
    }
}

impl Function for App {
    fn browsers(&self) -> &Browsers {
        &self.config.browsers
    }

    async fn answer(&self, request: Request) -> Response {
        let answered = self.config.refresh_keys.beside(async {
            match request.route.as_str() {
                "/logout" => self.logout(&request).await,
                "/oauth/revoke" => self.revoke(&request).await,
                _ => Err(Refusal::NoSuchRoute),
            }
        });
        answered.await.unwrap_or_else(Refusal::into_response)
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
    #[error("access token: {0}")]
    NoAccess(#[from] NoAccess),
    #[error("the request is older than a request may be")]
    Late,
    #[error("the user kept changing")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] NoKeys),
}

impl From<NotBearer> for Refusal {
    fn from(error: NotBearer) -> Self {
        Self::NoAccess(error.into())
    }
}

impl Refusal {
    fn into_response(self) -> Response {
        match &self {
            Self::Unreadable(error) => response::oauth_unreadable(*error),
            Self::NoSuchRoute => response::not_found(),
            Self::Browser(refused) => refused.into_response(),
            Self::NoAccess(no_access) => {
                tracing::info!(event = "logout_denied", reason = no_access.reason());
                match no_access {
                    NoAccess::NoUser | NoAccess::Delegated => response::insufficient_scope(),
                    NoAccess::NotBearer(_) | NoAccess::Rejected(_) | NoAccess::Foreign | NoAccess::Stale(_) => {
                        response::invalid_token()
                    }
                }
            }
            Self::Late | Self::Busy | Self::Store(_) | Self::Keys(_) => {
                tracing::error!(event = "fault", error = %self);
                response::unavailable()
            }
        }
    }
}
