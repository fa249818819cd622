//! A client's own access token (RFC 6749 §4.4): it has no user, no session and no refresh token.

use auth_core::client::Client;
use auth_core::id::TokenId;
use auth_core::scope::Scope;
use auth_core::time::UnixTime;
use auth_http::body::Form;
use auth_http::response::{self, Response};

use crate::request::scope;
use crate::table::Table;
use crate::{App, Refusal};

/// What the client's own token shall be used for, if less than all that it may be.
pub(crate) struct OwnTokenRequest {
    scope: Option<Scope>,
}

impl OwnTokenRequest {
    pub(crate) fn from_form(form: &Form) -> Result<Self, Refusal> {
        Ok(Self { scope: scope(form.get("scope").map(String::as_str))? })
    }
}

impl<T: Table> App<T> {
    pub(crate) async fn own_token(
        &self,
        asked: OwnTokenRequest,
        client: &Client,
        now: UnixTime,
    ) -> Result<Response, Refusal> {
        let scope = match asked.scope {
            None => client.scope.clone(),
            Some(scope) if scope.is_within(&client.scope) => scope,
            Some(_) => return Err(Refusal::Scope),
        };
        let jti = TokenId::random(self.entropy.as_ref())?;
        let issuer = self.config.issuer.for_life(client.token_life);
        let access = self.config.keys.mint_for_client(&issuer, client, &scope, jti, now).await?;
        tracing::info!(event = "client_token_issued", client_id = client.id.as_str(), %jti);
        Ok(response::tokens(&access, None, &scope))
    }
}
