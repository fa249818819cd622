//! A user's access token for a narrower one, with which a client acts for the user (RFC 8693).
//!
//! It comes without a refresh token: who wants another one exchanges again, with a token that the user has by then. So there is
//! one place where a delegation goes on, and it asks about the user's own session each time.

use auth_core::client::Client;
use auth_core::delegation::{self, TooWide};
use auth_core::id::TokenId;
use auth_core::refresh_token::Nonce;
use auth_core::scope::Scope;
use auth_core::time::UnixTime;
use auth_dynamodb::delegation::Delegated;
use auth_http::body::{Form, Unreadable};
use auth_http::request::Request;
use auth_http::response::{self, ACCESS_TOKEN_TYPE, Response};
use zeroize::Zeroizing;

use crate::request::scope;
use crate::subject::{Subject, Unfit};
use crate::table::Table;
use crate::{App, Refusal, deadline};

/// Whose token is to be exchanged, and for how much of it.
pub(crate) struct ExchangeRequest {
    subject_token: Zeroizing<String>,
    scope: Option<Scope>,
}

impl ExchangeRequest {
    /// RFC 8693 §2.1, as far as it is offered: an access token for an access token, of the client itself, for the one audience.
    pub(crate) fn from_form(form: &mut Form, own_audience: &str) -> Result<Self, Refusal> {
        let malformed = |what| Refusal::Unreadable(Unreadable::Malformed(what));
        let subject_token = form.remove("subject_token").ok_or(malformed("subject_token is missing"))?.into();
        match form.get("subject_token_type").map(String::as_str) {
            Some(ACCESS_TOKEN_TYPE) => {}
            Some(_) => return Err(malformed("the subject_token_type must be that of an access token")),
            None => return Err(malformed("subject_token_type is missing")),
        }
        if form.get("requested_token_type").is_some_and(|wanted| wanted != ACCESS_TOKEN_TYPE) {
            return Err(malformed("the requested_token_type must be that of an access token"));
        }
        if form.contains_key("actor_token") || form.contains_key("actor_token_type") {
            return Err(malformed("the client itself acts: no actor_token is taken"));
        }
        let mut targets = ["audience", "resource"].into_iter().filter_map(|name| form.get(name));
        if targets.any(|target| target != own_audience) {
            return Err(Refusal::Target);
        }
        Ok(Self { subject_token, scope: scope(form.get("scope").map(String::as_str))? })
    }
}

impl From<TooWide> for Refusal {
    fn from(_: TooWide) -> Self {
        Self::Scope
    }
}

impl<T: Table> App<T> {
    pub(crate) async fn exchange(
        &self,
        request: &Request,
        asked: ExchangeRequest,
        client: &Client,
        now: UnixTime,
    ) -> Result<Response, Refusal> {
        let verified = self.config.verifier.verify_fresh(&asked.subject_token, now).await?;
        let subject = Subject::of(verified)?; // forged ends here
        let (user, parent) = self.standing(&subject, now).await?;
        let scope = delegation::scope(asked.scope.as_ref(), &subject.claims.scope, &user, client)?;
        let nonce = Nonce::random(self.entropy.as_ref())?;
        let session = delegation::session(&parent, client, scope, nonce, &self.config.sessions, now);
        let jti = TokenId::random(self.entropy.as_ref())?;
        let issuer = self.config.issuer.for_life(client.token_life);
        let access = self.config.keys.mint(&issuer, &user, &session, &session.scope, jti, now).await?;
        if self.clock.now() > deadline(request, now) {
            return Err(Refusal::Late);
        }
        match self.table.delegate(&session, user.floor).await? {
            Delegated::Done => {}
            Delegated::Ended => return Err(Unfit::Barred.into()),
        }
        let (sub, sid, parent_sid, client_id) = (user.id, session.id, parent.id, client.id.as_str());
        tracing::info!(event = "token_exchanged", %sub, %sid, %parent_sid, client_id, %jti);
        Ok(response::exchanged(&access, &session.scope))
    }
}
