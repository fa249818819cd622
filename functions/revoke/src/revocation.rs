//! `POST /oauth/revoke` (RFC 7009), for OAuth's clients.

use auth_core::session::EndCause;
use auth_http::request::Request;
use auth_http::response::{self, Response};

use crate::request::revoked_token;
use crate::{App, Refusal};

impl App {
    /// A refresh token takes its session with it, an access token itself alone. What is no token of ours, or none any more,
    /// is revoked already (RFC 7009 §2.2).
    pub(crate) async fn revoke(&self, request: &Request) -> Result<Response, Refusal> {
        let now = self.clock.now();
        self.config.browsers.caller(request)?;
        // Whoever has the token may take it out of use, as a public client may (RFC 7009 §2.1): it is the proof.
        let token = revoked_token(request)?;
        if let Ok(presented) = self.config.refresh_keys.open(&token).await? {
            self.end(presented.user_id(), presented.session_id(), EndCause::Logout, now).await?;
        } else if let Ok(claims) = self.config.verifier.verify_fresh(&token, now).await? {
            let first = self.store.revoke_token(&claims.jti, claims.exp, self.clock.now()).await?;
            tracing::info!(event = "token_revoked", first, sub = claims.sub, sid = claims.sid(), jti = claims.jti);
        }
        Ok(response::done())
    }
}
