//! `POST /login`: a password for a session.

pub mod config;

mod request;

use std::sync::Arc;

use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::id::{SessionId, TokenId};
use auth_core::jwt::MintError;
use auth_core::login::Credentials;
use auth_core::refresh_token::Nonce;
use auth_core::scope::Scope;
use auth_core::session::{Child, Session};
use auth_core::time::{Clock, UnixTime};
use auth_core::user::{Denial, User};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::login::Attempt;
use auth_dynamodb::store::Store;
use auth_http::body::Unreadable;
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, OAuthCode, Response, TokenResponse, TokenType};
use auth_password::hasher::{HashError, Hasher, Parameters, Verdict};

use crate::config::Config;
use crate::request::LoginRequest;

/// The function and what it holds.
pub struct App {
    config: Config,
    store: Store,
    hasher: Hasher,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Who has signed in.
struct SignedIn {
    user: User,
    /// The `ver` of the password hash that was checked.
    ver: u64,
    /// A better hash of the same password, when the stored one has outdated parameters.
    rehash: Option<Rehash>,
}

struct Rehash {
    old: String,
    new: String,
}

impl App {
    /// Sets the function up; touches the memory for password hashing, so that the first login finds it in place.
    pub fn new(config: Config, store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { config, store, hasher: Hasher::new(Parameters::default()), clock, entropy }
    }

    async fn login(&self, request: &Request) -> Result<Response, Refusal> {
        let now = self.clock.now();
        let asked = LoginRequest::parse(request)?;
        let (attempts, credentials) = match self.store.count_attempt(&asked.name, now).await? {
            Attempt::Counted { attempts, credentials } => (attempts, credentials),
            Attempt::Closed { until } => return Err(Refusal::Throttled { now, until }),
        };
        let signed_in = match credentials {
            Some(credentials) => self.check(&asked, credentials).await?,
            None => return Err(self.refuse_unknown(&asked, now).await),
        };
        let scope = granted_scope(asked.scope.as_ref(), &signed_in.user)?;
        let session = self.new_session(&asked, &signed_in, scope, now)?;
        let jti = TokenId::random(self.entropy.as_ref())?;
        let access = self.config.issuer.mint(&signed_in.user, &session, &session.scope, jti, now)?;
        // Boxed: three futures of the SDK side by side are some twenty kilobytes.
        Box::pin(self.keep(&asked, &session, attempts, signed_in.rehash)).await?;
        tracing::info!(event = "login_ok", sub = %session.user_id, sid = %session.id);
        let Session { user_id, id, newest, .. } = &session;
        Ok(response::tokens(&TokenResponse {
            access_token: &access.text,
            token_type: TokenType::Bearer,
            expires_in: access.expires_in.as_secs(),
            refresh_token: &self.config.refresh_keys.seal(*user_id, *id, newest.generation, &newest.nonce),
            scope: session.scope.as_str(),
        }))
    }

    /// Checks the password while the user is being read.
    async fn check(&self, asked: &LoginRequest, credentials: Credentials) -> Result<SignedIn, Refusal> {
        let hashing = async { self.hasher.verify(&asked.password, &credentials.password_hash) };
        let (user, verdict) = tokio::join!(self.store.user(credentials.user_id), hashing);
        let (user, verdict) = (user?, verdict?);
        let Verdict::Right { outdated } = verdict else { return Err(Refusal::WrongPassword) };
        let user = user.ok_or(Refusal::UnknownUser)?;
        user.admits(credentials.ver)?;
        let rehash = if outdated { self.rehash(asked, credentials.password_hash) } else { None };
        Ok(SignedIn { user, ver: credentials.ver, rehash })
    }

    /// A fault here does not fail the login: the next one tries again.
    fn rehash(&self, asked: &LoginRequest, old: String) -> Option<Rehash> {
        let new = self.hasher.hash(&asked.password, self.entropy.as_ref()).ok()?;
        Some(Rehash { old, new })
    }

    /// Does for a name that nobody has what a known one costs: one hash, and one call beside it.
    async fn refuse_unknown(&self, asked: &LoginRequest, now: UnixTime) -> Refusal {
        let hashing = async { self.hasher.verify_unknown(&asked.password) };
        let (expiring, hashed) = tokio::join!(self.store.expire_unclaimed(&asked.name, now), hashing);
        match (expiring, hashed) {
            (Err(error), _) => error.into(),
            (_, Err(error)) => error.into(),
            (Ok(()), Ok(())) => Refusal::UnknownUser,
        }
    }

    fn new_session(
        &self,
        asked: &LoginRequest,
        signed_in: &SignedIn,
        scope: Scope,
        now: UnixTime,
    ) -> Result<Session, NoEntropy> {
        let entropy = self.entropy.as_ref();
        let policy = &self.config.sessions;
        Ok(Session {
            user_id: signed_in.user.id,
            id: SessionId::random(entropy)?,
            client_id: self.config.client_id.clone(),
            scope,
            device: asked.device.clone(),
            ver: signed_in.ver,
            created_at: now,
            previous: None,
            newest: Child { generation: 0, nonce: Nonce::random(entropy)?, made_at: now },
            earlier: Vec::new(),
            idle_expires_at: now + policy.idle(),
            expires_at: now + policy.absolute(),
            ended: None,
        })
    }

    /// Keeps the session. The attempts before a success are forgotten, an outdated hash is replaced; neither failing
    /// fails the login.
    async fn keep(
        &self,
        asked: &LoginRequest,
        session: &Session,
        attempts: u32,
        rehash: Option<Rehash>,
    ) -> Result<(), StoreError> {
        let forgetting = async {
            match attempts {
                // A single attempt is this one. It may stay counted: taking it back would cost every login a write.
                1 => Ok(()),
                _ => self.store.forget_attempts(&asked.name, attempts).await,
            }
        };
        let rehashing = async {
            match &rehash {
                Some(rehash) => self.store.rehash(&asked.name, &rehash.old, &rehash.new).await,
                None => Ok(()),
            }
        };
        let (kept, forgotten, rehashed) = tokio::join!(self.store.create_session(session), forgetting, rehashing);
        for error in [forgotten.err(), rehashed.err()].into_iter().flatten() {
            tracing::warn!(%error, "a login left something undone");
        }
        kept
    }
}

/// All that the user may have, or what was asked for if that is no more.
fn granted_scope(asked: Option<&Scope>, user: &User) -> Result<Scope, Refusal> {
    match asked {
        None => Ok(user.scope.clone()),
        Some(asked) if asked.is_within(&user.scope) => Ok(asked.clone()),
        Some(_) => Err(Refusal::ScopeTooWide),
    }
}

impl Function for App {
    async fn answer(&self, request: Request) -> Response {
        match self.login(&request).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        }
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("malformed scope")]
    MalformedScope,
    #[error("scope wider than the user's")]
    ScopeTooWide,
    #[error("nobody has the login name")]
    UnknownUser,
    #[error("wrong password")]
    WrongPassword,
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error("too many failures")]
    Throttled { now: UnixTime, until: UnixTime },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    #[error(transparent)]
    Mint(#[from] MintError),
}

impl Refusal {
    fn into_response(self) -> Response {
        match &self {
            Self::Unreadable(error) => response::oauth_unreadable(*error),
            Self::MalformedScope | Self::ScopeTooWide => {
                response::oauth_error(OAuthCode::InvalidScope, "the scope is malformed, or wider than the user's")
            }
            // One answer: which of them it was is for the log.
            Self::UnknownUser | Self::WrongPassword | Self::Denied(_) => {
                tracing::warn!(event = "login_failed", reason = %self);
                response::oauth_error(OAuthCode::InvalidGrant, "wrong username or password")
            }
            Self::Throttled { now, until } => {
                tracing::warn!(event = "login_throttled");
                response::throttled(until.since(*now))
            }
            Self::Store(_) | Self::Hash(_) | Self::Entropy(_) | Self::Mint(_) => {
                tracing::error!(event = "fault", error = %self);
                response::unavailable()
            }
        }
    }
}
