//! `POST /refresh` and `POST /oauth/token`: a refresh token for the next access token, and what clients get by their own
//! credentials.

pub mod config;
pub mod table;

mod client_credentials;
mod exchange;
mod grant;
mod request;
mod subject;

use std::sync::Arc;

use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::id::TokenId;
use auth_core::policy::REQUEST_LIFE;
use auth_core::refresh_token::{Nonce, NotOurs, Presented};
use auth_core::rotation::{self, Decision, Outcome, Rotation, Step};
use auth_core::scope::Scope;
use auth_core::session::{Child, Session};
use auth_core::time::{Clock, UnixTime};
use auth_core::user::{Denial, User};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use auth_http::body::Unreadable;
use auth_http::browser::{BrowserRefused, Browsers};
use auth_http::client::ClientRefused;
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, OAuthCode, Response};
use auth_keys::minting::MintFault;
use auth_watch::key_watch::NoKeys;

use crate::config::Config;
use crate::grant::EXPECTED_GRANT_TYPES;
use crate::request::RefreshRequest;
use crate::subject::Unfit;
use crate::table::Table;

/// The function and what it holds. Its table is DynamoDB's, or that of a model which searches for what could go wrong.
pub struct App<T = Store> {
    config: Config,
    table: T,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl<T: Table> App<T> {
    /// Sets the function up.
    pub fn new(config: Config, table: T, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { config, table, clock, entropy }
    }

    async fn refresh(&self, request: &Request, asked: RefreshRequest, now: UnixTime) -> Result<Response, Refusal> {
        let held = self.config.keys.refresh();
        let presented = held.open(&asked.refresh_token).await??; // forged ends here: the table was not asked yet
        let refresh_keys = held.known().await?; // what has recognised it, or younger keys
        let deadline = deadline(request, now);
        // Whatever becomes of the keys: a rotation that has begun is carried to its end, and a refusal is told.
        let rotating = async { tokio::try_join!(self.rotate(&presented, now, deadline), self.user(&presented)) };
        let (rotated, ready) = tokio::join!(rotating, self.config.keys.ready(now));
        let (outcome, user) = rotated?;
        let (session, child) = granted(outcome)?;
        let user = user.ok_or(Refusal::UnknownUser)?;
        self.admit(&session, &user).await?;
        let scope = narrowed_scope(&asked, &session, &user)?;
        ready?;
        let jti = TokenId::random(self.entropy.as_ref())?;
        let access = self.config.keys.mint(&self.config.issuer, &user, &session, &scope, jti, now).await?;
        let refresh_token = refresh_keys.seal(session.user_id, session.id, child.generation, &child.nonce);
        Ok(asked.caller.tokens(&access, &refresh_token, &scope, self.config.sessions.idle()))
    }

    /// Carries the dialogue between [`Rotation`] and the store.
    async fn rotate(&self, presented: &Presented, now: UnixTime, deadline: UnixTime) -> Result<Outcome, Refusal> {
        let nonce = Nonce::random(self.entropy.as_ref())?;
        let (mut rotation, mut write) = Rotation::begin(presented, nonce, &self.config.sessions, now);
        loop {
            let at = self.clock.now();
            if at > deadline {
                return Err(Refusal::Late);
            }
            let answer = self.table.write_session(presented.user_id(), presented.session_id(), &write, at).await?;
            match rotation.resume(answer) {
                Step::Write(next) => write = next,
                Step::Over(outcome) => {
                    log(&outcome, presented);
                    return Ok(outcome);
                }
            }
        }
    }

    /// The session was read beside the user, perhaps a moment before it was lifted above the floor that the user has now: by
    /// whoever ended all the others. So one that seems to be below it is looked at once more.
    async fn admit(&self, session: &Session, user: &User) -> Result<(), Refusal> {
        let Err(denial) = user.admits(session.ver) else { return Ok(()) };
        if denial == Denial::BelowFloor
            && let Some(newer) = self.table.session(session.user_id, session.id).await?
            && newer.ended.is_none()
        {
            return Ok(user.admits(newer.ver)?);
        }
        Err(denial.into())
    }

    async fn user(&self, presented: &Presented) -> Result<Option<User>, Refusal> {
        Ok(self.table.user(presented.user_id()).await?)
    }
}

/// Until when a request may write.
fn deadline(request: &Request, now: UnixTime) -> UnixTime {
    request.context.received_at.unwrap_or(now) + REQUEST_LIFE
}

/// Tells the log how a rotation ended, whatever becomes of the request.
fn log(outcome: &Outcome, presented: &Presented) {
    let (sub, sid) = (presented.user_id(), presented.session_id());
    match outcome {
        Outcome::Granted { decision: Decision::Adopt, .. } => {
            let generation = presented.generation();
            tracing::warn!(event = "refresh_adopted", %sub, %sid, generation, decision = "adopt", Refreshes = 1);
        }
        Outcome::Granted { decision, .. } => {
            tracing::info!(event = "refresh_ok", %sub, %sid, decision = decision.name(), Refreshes = 1);
        }
        Outcome::Refused(rotation::Refusal::Replayed { behind }) => {
            tracing::error!(
                event = "refresh_replayed",
                %sub,
                %sid,
                behind,
                decision = "replayed",
                Refreshes = 1,
                Replays = 1
            );
        }
        Outcome::Refused(refusal) => {
            let cause = match refusal {
                rotation::Refusal::Ended(cause) => Some(cause.name()),
                _ => None,
            };
            tracing::info!(event = "refresh_refused", %sub, %sid, decision = refusal.name(), cause, Refreshes = 1);
        }
        Outcome::Busy => tracing::warn!(event = "refresh_busy", %sub, %sid, decision = "busy", Refreshes = 1),
    }
}

fn granted(outcome: Outcome) -> Result<(Session, Child), Refusal> {
    match outcome {
        Outcome::Granted { session, child, .. } => Ok((session, child)),
        Outcome::Refused(refusal) => Err(Refusal::Rotation(refusal)),
        Outcome::Busy => Err(Refusal::Busy),
    }
}

/// What the session was given and the user still has, or less if less was asked for (RFC 6749 §6).
fn narrowed_scope(asked: &RefreshRequest, session: &Session, user: &User) -> Result<Scope, Refusal> {
    if asked.client_id.as_ref().is_some_and(|client_id| *client_id != session.client_id) {
        return Err(Refusal::OtherClient);
    }
    match &asked.scope {
        None => Ok(user.scope_in(session)),
        Some(scope) if scope.is_within(&session.scope) => Ok(scope.intersection(&user.scope)),
        Some(_) => Err(Refusal::Scope),
    }
}

impl<T: Table> Function for App<T> {
    fn browsers(&self) -> &Browsers {
        &self.config.browsers
    }

    async fn answer(&self, request: Request) -> Response {
        let granted = self.config.keys.refresh().beside(self.grant(&request)).await;
        granted.unwrap_or_else(Refusal::into_response)
    }
}

/// Why nothing was granted.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Browser(#[from] BrowserRefused),
    #[error("no such route")]
    NoSuchRoute,
    #[error("another grant type")]
    UnsupportedGrantType,
    #[error(transparent)]
    Client(#[from] ClientRefused),
    #[error("the client may not do this")]
    UnauthorizedClient,
    #[error("malformed scope, or wider than may be granted")]
    Scope,
    #[error("for another resource")]
    Target,
    #[error(transparent)]
    Subject(#[from] Unfit),
    #[error("a browser without a cookie")]
    NoCookie,
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    #[error("issued to another client")]
    OtherClient,
    #[error("{0:?}")]
    Rotation(rotation::Refusal),
    #[error("the user is gone")]
    UnknownUser,
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error("the request is older than a request may be")]
    Late,
    #[error("the session kept changing")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    #[error(transparent)]
    Keys(#[from] NoKeys),
    #[error(transparent)]
    Mint(#[from] MintFault),
}

impl Refusal {
    fn into_response(self) -> Response {
        match &self {
            Self::Unreadable(error) => response::oauth_unreadable(*error),
            Self::Browser(refused) => refused.into_response(),
            Self::NoSuchRoute => response::not_found(),
            Self::UnsupportedGrantType => response::oauth_error(OAuthCode::UnsupportedGrantType, EXPECTED_GRANT_TYPES),
            Self::Client(refused) => refused.into_response(),
            Self::UnauthorizedClient => {
                tracing::warn!(event = "client_not_allowed");
                response::oauth_error(OAuthCode::UnauthorizedClient, "the client may not use this grant type")
            }
            Self::Scope => {
                response::oauth_error(OAuthCode::InvalidScope, "the scope is malformed, or wider than may be granted")
            }
            Self::Target => {
                response::oauth_error(OAuthCode::InvalidTarget, "tokens are for the one audience of this server")
            }
            // RFC 8693 §2.2.2. One answer: what is wrong with the token is for the log.
            Self::Subject(unfit) => {
                tracing::info!(event = "exchange_denied", reason = unfit.reason());
                response::oauth_error(
                    OAuthCode::InvalidRequest,
                    "the subject token is not valid, or cannot be exchanged",
                )
            }
            Self::Mint(fault) if let Some(why) = fault.too_long() => response::token_too_long(&why),
            // One answer: which of them it was is for the log. It takes no cookie away: it may be a late one, to a request
            // with an old token, and the browser has a newer one by now.
            Self::NoCookie => denied("no_cookie"),
            Self::NotOurs(not_ours) => {
                // No rotation was begun, but it is decided as one that finds no session.
                let reason = not_ours.reason();
                tracing::info!(event = "refresh_denied", reason, decision = "unknown", Refreshes = 1);
                invalid_grant()
            }
            Self::OtherClient => denied("other_client"),
            Self::Rotation(refusal) => denied(refusal.name()),
            Self::UnknownUser => denied("user_unknown"),
            Self::Denied(denial) => denied(denial.reason()),
            Self::Late | Self::Busy | Self::Store(_) | Self::Entropy(_) | Self::Keys(_) | Self::Mint(_) => {
                tracing::error!(event = "fault", error = %self);
                response::unavailable()
            }
        }
    }
}

fn denied(reason: &'static str) -> Response {
    tracing::info!(event = "refresh_denied", reason);
    invalid_grant()
}

fn invalid_grant() -> Response {
    response::oauth_error(OAuthCode::InvalidGrant, "the refresh token is not valid")
}
