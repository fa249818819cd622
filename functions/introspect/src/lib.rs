//! `POST /oauth/introspect`: whether a token is good, and what it says (RFC 7662).

pub mod config;

mod answer;
mod request;
mod token;

use std::sync::Arc;

use auth_core::claims::AccessClaims;
use auth_core::client::{Client, ClientCredentials, Grant};
use auth_core::journal;
use auth_core::refresh_token::PREFIX;
use auth_core::time::{Clock, UnixTime};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use auth_http::body::Unreadable;
use auth_http::browser::Browsers;
use auth_http::client::ClientRefused;
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, OAuthCode, Response};
use auth_watch::key_watch::NoKeys;

use crate::answer::Active;
use crate::config::Config;
use crate::request::IntrospectionRequest;
use crate::token::{Genuine, Inactive, Standing, UsersToken, judge_own};

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

    async fn introspect(&self, request: &Request) -> Result<Response, Refusal> {
        let now = self.clock.now();
        let asked = IntrospectionRequest::parse(request)?;
        let client = self.client(&asked.credentials).await?;
        // Boxed: three futures of the SDK side by side are some twenty kilobytes.
        let judged = Box::pin(self.judge(&asked.token, now)).await?;
        log(&judged, &client);
        Ok(judged.map_or_else(|_| answer::inactive(), |active| active.respond(&self.config)))
    }

    /// Who asks. Before anything about the token is known: a stranger learns nothing, and costs one read.
    async fn client(&self, credentials: &ClientCredentials) -> Result<Client, Refusal> {
        let found = self.store.client(&credentials.id).await?;
        let client = credentials.authenticate(found).ok_or(ClientRefused::Invalid)?;
        if client.may(Grant::Introspect) { Ok(client) } else { Err(Refusal::UnauthorizedClient) }
    }

    async fn judge(&self, token: &str, now: UnixTime) -> Result<Result<Active, Inactive>, Refusal> {
        let genuine = match self.recognise(token, now).await? {
            Ok(genuine) => genuine,
            Err(inactive) => return Ok(Err(inactive)), // the table is not asked for it
        };
        match genuine {
            Genuine::OfUser(token) => {
                let standing = Box::pin(self.standing(&token)).await?;
                Ok(token.judge(standing, now))
            }
            Genuine::OfClient(id, claims) => {
                let (client, revoked) = tokio::try_join!(self.store.client(&id), self.is_revoked(Some(&claims)))?;
                Ok(judge_own(claims, client, revoked))
            }
        }
    }

    /// Recognises a token of ours. It costs no call of its own, but for keys that are old or not known.
    async fn recognise(&self, token: &str, now: UnixTime) -> Result<Result<Genuine, Inactive>, NoKeys> {
        if token.starts_with(PREFIX) {
            return Ok(Genuine::of_refresh_token(self.config.refresh_keys.open(token).await?));
        }
        Ok(Genuine::of_access_token(self.config.verifier.verify_fresh(token, now).await?))
    }

    /// All that can have put an end to a genuine token since it was made.
    ///
    /// The user is read before the session: the other way round, a session that was lifted above a new floor meanwhile would
    /// seem to be below it.
    async fn standing(&self, token: &UsersToken) -> Result<Standing, StoreError> {
        let (user, revoked) = tokio::try_join!(self.store.user(token.user_id), self.is_revoked(token.claims()))?;
        let parent = async {
            match token.parent_id {
                Some(id) => self.store.session(token.user_id, id).await,
                None => Ok(None),
            }
        };
        let (session, parent) = tokio::try_join!(self.store.session(token.user_id, token.session_id), parent)?;
        Ok(Standing { session, parent, user, revoked })
    }

    /// Whether an access token was revoked by itself, or with all of its client.
    async fn is_revoked(&self, claims: Option<&AccessClaims>) -> Result<bool, StoreError> {
        let Some(claims) = claims else { return Ok(false) };
        let of_client = self.store.client_revoked(&claims.client_id);
        let (by_itself, bound) = tokio::try_join!(self.store.is_token_revoked(&claims.jti), of_client)?;
        Ok(by_itself || bound.is_some_and(|bound| journal::is_of_revoked_client(claims, bound)))
    }
}

/// Tells the log what the caller is not told.
fn log(judged: &Result<Active, Inactive>, client: &Client) {
    let client_id = client.id.as_str();
    match judged {
        Ok(_) => tracing::info!(event = "introspected", active = true, client_id),
        Err(inactive) => {
            let reason = inactive.reason();
            tracing::info!(event = "introspected", active = false, reason, detail = %inactive, client_id);
        }
    }
}

impl Function for App {
    fn browsers(&self) -> &Browsers {
        &self.config.browsers
    }

    async fn answer(&self, request: Request) -> Response {
        let answered = self.config.refresh_keys.beside(async {
            match request.route.as_str() {
                "/oauth/introspect" => self.introspect(&request).await,
                _ => Err(Refusal::NoSuchRoute),
            }
        });
        answered.await.unwrap_or_else(Refusal::into_response)
    }
}

/// Why nothing is said of a token.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Client(#[from] ClientRefused),
    #[error("the client may not ask")]
    UnauthorizedClient,
    #[error("no such route")]
    NoSuchRoute,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] NoKeys),
}

impl Refusal {
    fn into_response(self) -> Response {
        match &self {
            Self::Unreadable(error) => response::oauth_unreadable(*error),
            Self::Client(refused) => refused.into_response(),
            Self::UnauthorizedClient => {
                tracing::warn!(event = "client_not_allowed");
                response::oauth_error(OAuthCode::UnauthorizedClient, "the client may not ask about tokens")
            }
            Self::NoSuchRoute => response::not_found(),
            Self::Store(_) | Self::Keys(_) => {
                tracing::error!(event = "fault", error = %self);
                response::unavailable()
            }
        }
    }
}
