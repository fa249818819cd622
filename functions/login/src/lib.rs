//! `POST /login`: a password for a session.

pub mod config;

mod request;
mod room;

use std::sync::Arc;

use auth_core::entropy::{Entropy, NoEntropy};
use auth_core::id::{SessionId, TokenId};
use auth_core::issuer::AccessToken;
use auth_core::login::Credentials;
use auth_core::network::Network;
use auth_core::refresh_token::{Nonce, RefreshKeys};
use auth_core::scope::Scope;
use auth_core::session::Session;
use auth_core::time::{Clock, UnixTime};
use auth_core::user::{Denial, User};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::login::Attempt;
use auth_dynamodb::store::Store;
use auth_http::body::Unreadable;
use auth_http::browser::{BrowserRefused, Browsers};
use auth_http::function::Function;
use auth_http::request::Request;
use auth_http::response::{self, OAuthCode, Response};
use auth_keys::minting::MintFault;
use auth_password::hasher::{HashError, Hasher, Parameters, Verdict};
use auth_watch::key_watch::NoKeys;

use crate::config::Config;
use crate::request::LoginRequest;

/// The function and what it holds.
pub struct App {
    config: Config,
    store: Store,
    hasher: Arc<Hasher>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// What a right password is worth.
struct SignedIn {
    session: Session,
    access: AccessToken,
    refresh_keys: Arc<RefreshKeys>,
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
        Self { config, store, hasher: Arc::new(Hasher::new(Parameters::default())), clock, entropy }
    }

    async fn login(&self, request: &Request) -> Result<Response, Refusal> {
        let now = self.clock.now();
        let asked = LoginRequest::parse(request, &self.config.browsers)?;
        let counting = self.store.count_attempt(&asked.name, now);
        // Beside it, so that the calls in a row stay few; what comes of it shows when there is something to sign.
        let keys = &self.config.keys;
        let (attempt, _, refresh_keys) = tokio::join!(counting, keys.ready(now), keys.refresh().known());
        let (attempts, credentials) = match attempt? {
            Attempt::Counted { attempts, credentials } => (attempts, credentials),
            Attempt::Closed { until } => return Err(Refusal::Throttled { now, until }),
        };
        let refusal = match credentials {
            Some(credentials) => match self.check(&asked, credentials, refresh_keys, now).await {
                // Boxed: three futures of the SDK side by side are some twenty kilobytes.
                Ok(signed_in) => return Box::pin(self.keep(&asked, attempts, signed_in)).await,
                Err(refusal) => refusal,
            },
            None => self.refuse_unknown(&asked, now).await,
        };
        if !refusal.counts() {
            // Those before it were not right passwords, nor need this one have been.
            self.forget(&asked, 1).await;
        }
        Err(refusal)
    }

    /// Checks the password while the user is being read, and makes what the two of them are worth.
    async fn check(
        &self,
        asked: &LoginRequest,
        credentials: Credentials,
        refresh_keys: Result<Arc<RefreshKeys>, NoKeys>,
        now: UnixTime,
    ) -> Result<SignedIn, Refusal> {
        let (user_id, ver) = (credentials.user_id, credentials.ver);
        let stored = Arc::new(credentials.password_hash);
        let (hash, password) = (Arc::clone(&stored), Arc::clone(&asked.password));
        let hashing = self.hash(move |hasher| hasher.verify(&password, &hash));
        let (user, verdict) = tokio::join!(self.store.user(user_id), hashing);
        // A fault whatever the password is, as it is for a name that nobody has.
        let (user, verdict) = (user?, verdict?);
        let Verdict::Right { outdated } = verdict else { return Err(Refusal::WrongPassword) };
        let user = user.ok_or(Refusal::UnknownUser)?;
        user.admits(ver)?;
        let refresh_keys = refresh_keys?;
        let session = self.new_session(asked, &user, ver, &refresh_keys, now)?;
        let jti = TokenId::random(self.entropy.as_ref())?;
        let access = self.config.keys.mint(&self.config.issuer, &user, &session, &session.scope, jti, now).await?;
        let rehash = if outdated { self.rehash(asked, &stored).await } else { None };
        Ok(SignedIn { session, access, refresh_keys, rehash })
    }

    /// Hashes on a thread of its own, so that what waits for the network goes on.
    async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hasher) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let hasher = Arc::clone(&self.hasher);
        let hashed = tokio::task::spawn_blocking(move || work(&hasher)).await;
        Ok(hashed.map_err(|_| Refusal::HashingStopped)??)
    }

    /// A fault here does not fail the login: the next one tries again.
    async fn rehash(&self, asked: &LoginRequest, old: &str) -> Option<Rehash> {
        let (entropy, password) = (Arc::clone(&self.entropy), Arc::clone(&asked.password));
        let new = self.hash(move |hasher| hasher.hash(&password, entropy.as_ref())).await.ok()?;
        Some(Rehash { old: old.to_owned(), new })
    }

    /// Does for a name that nobody has what a known one costs: one hash, and one call beside it.
    async fn refuse_unknown(&self, asked: &LoginRequest, now: UnixTime) -> Refusal {
        let password = Arc::clone(&asked.password);
        let hashing = self.hash(move |hasher| hasher.verify_unknown(&password));
        let (expiring, hashed) = tokio::join!(self.store.expire_unclaimed(&asked.name, now), hashing);
        match (expiring, hashed) {
            (Err(error), _) => error.into(),
            (_, Err(refusal)) => refusal,
            (Ok(()), Ok(())) => Refusal::UnknownUser,
        }
    }

    fn new_session(
        &self,
        asked: &LoginRequest,
        user: &User,
        ver: u64,
        refresh_keys: &RefreshKeys,
        now: UnixTime,
    ) -> Result<Session, Refusal> {
        let entropy = self.entropy.as_ref();
        let (id, nonce) = (SessionId::random(entropy)?, Nonce::random(entropy)?);
        Ok(Session {
            client_id: self.config.client_id.clone(),
            scope: granted_scope(asked.scope.as_ref(), user)?,
            device: asked.device.clone(),
            network: asked.address.map(|address| Network::of(refresh_keys, user.id, address)),
            ver,
            ..Session::begin(user.id, id, nonce, &self.config.sessions, now)
        })
    }

    /// Keeps the session and answers. Beside it the attempts are taken back and an outdated hash is replaced; then room is
    /// made. None of them failing fails the login.
    async fn keep(&self, asked: &LoginRequest, attempts: u32, signed_in: SignedIn) -> Result<Response, Refusal> {
        let SignedIn { session, access, refresh_keys, rehash } = &signed_in;
        let rehashing = async {
            match rehash {
                Some(rehash) => self.store.rehash(&asked.name, &rehash.old, &rehash.new).await,
                None => Ok(()),
            }
        };
        let creating = self.store.create_session(session);
        let (kept, (), rehashed) = tokio::join!(creating, self.forget(asked, attempts), rehashing);
        if let Err(error) = rehashed {
            tracing::warn!(event = "rehash_failed", %error);
        }
        kept?;
        // Not before: a session that was not kept displaces none.
        self.make_room(session).await;
        tracing::info!(event = "login_ok", sub = %session.user_id, sid = %session.id, outcome = "succeeded", Logins = 1);
        let Session { user_id, id, newest, scope, .. } = session;
        let refresh_token = refresh_keys.seal(*user_id, *id, newest.generation, &newest.nonce);
        Ok(asked.caller.tokens(access, &refresh_token, scope, self.config.sessions.idle()))
    }

    /// Takes attempts back that were no failures of the caller's.
    ///
    /// After every success, its own attempt among them: one left standing would close this name a failure earlier than a
    /// name that nobody has, and so tell the two apart.
    async fn forget(&self, asked: &LoginRequest, attempts: u32) {
        if let Err(error) = self.store.forget_attempts(&asked.name, attempts).await {
            tracing::warn!(event = "attempts_kept", %error);
        }
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
    fn browsers(&self) -> &Browsers {
        &self.config.browsers
    }

    async fn answer(&self, request: Request) -> Response {
        match self.config.keys.refresh().beside(self.login(&request)).await {
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
    #[error(transparent)]
    Browser(#[from] BrowserRefused),
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
    #[error("the hashing thread stopped")]
    HashingStopped,
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    #[error(transparent)]
    Keys(#[from] NoKeys),
    #[error(transparent)]
    Mint(#[from] MintFault),
}

impl Refusal {
    /// Whether the attempt counts against the caller. A fault of ours does not, nor does a wish after a right password.
    const fn counts(&self) -> bool {
        match self {
            Self::UnknownUser | Self::WrongPassword | Self::Denied(_) | Self::Throttled { .. } => true,
            Self::Unreadable(_)
            | Self::Browser(_)
            | Self::MalformedScope
            | Self::ScopeTooWide
            | Self::Store(_)
            | Self::Hash(_)
            | Self::HashingStopped
            | Self::Entropy(_)
            | Self::Keys(_)
            | Self::Mint(_) => false,
        }
    }

    fn into_response(self) -> Response {
        match &self {
            Self::Unreadable(error) => response::oauth_unreadable(*error),
            Self::Browser(refused) => refused.into_response(),
            Self::MalformedScope | Self::ScopeTooWide => {
                response::oauth_error(OAuthCode::InvalidScope, "the scope is malformed, or wider than the user's")
            }
            // One answer: which of them it was is for the log.
            Self::UnknownUser => refused("user_unknown"),
            Self::WrongPassword => refused("wrong_password"),
            Self::Denied(denial) => refused(denial.reason()),
            Self::Throttled { now, until } => {
                tracing::warn!(event = "login_throttled", outcome = "throttled", Logins = 1);
                response::throttled(until.since(*now))
            }
            Self::Mint(fault) if let Some(why) = fault.too_long() => response::token_too_long(&why),
            Self::Store(_)
            | Self::Hash(_)
            | Self::HashingStopped
            | Self::Entropy(_)
            | Self::Keys(_)
            | Self::Mint(_) => {
                tracing::error!(event = "fault", error = %self);
                response::unavailable()
            }
        }
    }
}

fn refused(reason: &'static str) -> Response {
    tracing::warn!(event = "login_failed", reason, outcome = "refused", Logins = 1);
    response::oauth_error(OAuthCode::InvalidGrant, "wrong username or password")
}
