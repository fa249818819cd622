//! Minting access tokens.

use std::time::Duration;

use crate::claims::MintedClaims;
use crate::id::TokenId;
use crate::jwt::{MintError, Signer};
use crate::scope::Scope;
use crate::session::Session;
use crate::time::UnixTime;
use crate::user::User;

/// Mints access tokens: who issues them, for whom, and how long they live.
#[derive(Debug)]
pub struct Issuer {
    /// The claim `iss`.
    pub iss: String,
    /// The claim `aud`.
    pub aud: String,
    /// The life of an access token, unless its session ends before.
    pub ttl: Duration,
    /// The key.
    pub signer: Signer,
}

/// A minted access token.
pub struct AccessToken {
    /// The compact JWS.
    pub text: String,
    /// What is left of its life: the member `expires_in` (RFC 6749 §5.1).
    pub expires_in: Duration,
}

impl Issuer {
    /// Mints an access token for `user` in `session`; it does not outlive the session.
    ///
    /// # Errors
    ///
    /// [`MintError`]; the request is then a fault of ours.
    pub fn mint(
        &self,
        user: &User,
        session: &Session,
        scope: &Scope,
        jti: TokenId,
        now: UnixTime,
    ) -> Result<AccessToken, MintError> {
        let exp = (now + self.ttl).min(session.expires_at).seconds();
        let text = self.signer.sign(&MintedClaims {
            iss: &self.iss,
            sub: &user.id.to_string(),
            aud: &self.aud,
            exp,
            iat: now.seconds(),
            jti: &jti.to_string(),
            client_id: &session.client_id,
            scope: scope.as_str(),
            sid: &session.id.to_string(),
            roles: &user.roles,
            ver: user.ver,
        })?;
        Ok(AccessToken { text, expires_in: Duration::from_secs(exp.saturating_sub(now.seconds())) })
    }
}
