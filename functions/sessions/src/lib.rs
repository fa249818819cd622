//! What a user sees and ends of their own sessions: `GET /me`, `GET /sessions`, `DELETE /sessions/{sid}`.

mod caller;
mod list;

use std::sync::Arc;

use auth_core::id::SessionId;
use auth_core::session::{End, EndCause};
use auth_core::time::{Clock, UnixTime};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::session::Ending;
use auth_dynamodb::store::Store;
use auth_http::body::Unreadable;
use auth_http::browser::Browsers;
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, Response};
use lambda_http::http::Method;

use crate::caller::{Caller, Unfit};
use crate::list::Sessions;

/// The function and what it holds.
pub struct App {
    browsers: Browsers,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl App {
    /// Sets the function up.
    pub fn new(browsers: Browsers, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { browsers, store, clock }
    }

    async fn route(&self, request: &Request) -> Result<Response, Refusal> {
        let now = self.clock.now();
        let caller = Caller::of(&request.context);
        match (request.route.as_str(), &request.method) {
            ("/me", &Method::GET) => Ok(caller?.describe()),
            ("/sessions", &Method::GET) => self.list(&caller?.in_person()?, now).await,
            ("/sessions/{sid}", &Method::DELETE) => {
                self.end(&caller?.in_person()?, request.parameter("sid"), now).await
            }
            ("/me" | "/sessions", _) => Err(Unreadable::Method("GET").into()),
            ("/sessions/{sid}", _) => Err(Unreadable::Method("DELETE").into()),
            _ => Err(Refusal::NotFound),
        }
    }

    async fn list(&self, caller: &Caller<'_>, now: UnixTime) -> Result<Response, Refusal> {
        let Some(user_id) = caller.user_id() else { return Err(Refusal::NotFound) };
        let (living, user) = tokio::try_join!(self.store.living_sessions(user_id, now), self.store.user(user_id))?;
        Ok(response::document(&Sessions::new(&living, user.as_ref(), caller.sid)))
    }

    /// A session that has ended already is as good as ended by this request, which may be a repeated one.
    async fn end(&self, caller: &Caller<'_>, sid: Option<&str>, now: UnixTime) -> Result<Response, Refusal> {
        let user_id = caller.user_id().ok_or(Refusal::NotFound)?;
        let id = sid.and_then(|sid| SessionId::parse(sid).ok()).ok_or(Refusal::NotFound)?;
        let end = End { cause: EndCause::Revoked, at: now };
        match self.store.end_session(user_id, id, &end, self.clock.now()).await? {
            Ending::Done => {
                tracing::info!(event = "session_ended", sub = %user_id, sid = %id, by = caller.sid);
            }
            Ending::Refused(Some(_)) => {}
            Ending::Refused(None) => return Err(Refusal::NotFound),
        }
        Ok(response::no_content())
    }
}

impl Function for App {
    fn browsers(&self) -> &Browsers {
        &self.browsers
    }

    async fn answer(&self, request: Request) -> Response {
        self.route(&request).await.unwrap_or_else(Refusal::into_response)
    }
}

/// Why nothing was told or ended.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("no such route, or no such session of the caller's")]
    NotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    fn into_response(self) -> Response {
        match &self {
            Self::Unreadable(error) => response::problem_unreadable(*error),
            Self::NotFound => response::not_found(),
            Self::Unfit(Unfit::NotAuthorized) => {
                tracing::error!(event = "fault", error = %self);
                response::unauthorized()
            }
            Self::Unfit(Unfit::OfAnotherIssuer | Unfit::NoUser | Unfit::Delegated) => response::insufficient_scope(),
            Self::Store(_) => {
                tracing::error!(event = "fault", error = %self);
                response::unavailable()
            }
        }
    }
}
