//! What a client is told of a token (RFC 7662 §2.2).

use auth_core::claims::AccessClaims;
use auth_core::id::{SessionId, UserId};
use auth_core::scope::Scope;
use auth_core::session::Session;
use auth_http::response::{self, Response};
use serde::Serialize;

use crate::config::Config;

/// What a good token says.
#[derive(Debug)]
pub(crate) enum Active {
    Access(AccessClaims),
    /// A refresh token's session, and what its next access token may be used for at most.
    Refresh {
        session: Session,
        scope: Scope,
    },
}

/// The answer to every token that is not good: not a byte of it says why.
pub(crate) fn inactive() -> Response {
    #[derive(Serialize)]
    struct Inactive {
        active: bool,
    }
    response::document(&Inactive { active: false })
}

impl Active {
    pub(crate) fn respond(&self, config: &Config) -> Response {
        match self {
            Self::Access(claims) => response::document(&AccessToken::new(claims, config)),
            Self::Refresh { session, scope } => response::document(&RefreshToken::new(session, scope, config)),
        }
    }
}

#[derive(Serialize)]
struct AccessToken<'a> {
    active: bool,
    scope: &'a str,
    client_id: &'a str,
    token_type: &'a str,
    exp: u64,
    iat: u64,
    sub: &'a str,
    aud: &'a str,
    iss: &'a str,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor<'a>>,
}

/// Who acts for the subject (RFC 8693 §4.1).
#[derive(Serialize)]
struct Actor<'a> {
    sub: &'a str,
}

impl<'a> AccessToken<'a> {
    fn new(claims: &'a AccessClaims, config: &'a Config) -> Self {
        let delegation = claims.delegation();
        Self {
            active: true,
            scope: claims.scope.as_str(),
            client_id: &claims.client_id,
            token_type: "Bearer",
            exp: claims.exp.seconds(),
            iat: claims.iat.seconds(),
            sub: &claims.sub,
            aud: &config.audience,
            iss: &config.issuer,
            jti: &claims.jti,
            sid: claims.sid(),
            roles: (claims.sid().is_some() && delegation.is_none()).then(|| claims.roles.iter().collect()),
            act: delegation.map(|delegation| Actor { sub: &delegation.actor }),
        }
    }
}

/// No instant among it: what is left of a refresh token's life tells a thief when the owner refreshed.
#[derive(Serialize)]
struct RefreshToken<'a> {
    active: bool,
    scope: &'a str,
    client_id: &'a str,
    sub: UserId,
    iss: &'a str,
    sid: SessionId,
}

impl<'a> RefreshToken<'a> {
    fn new(session: &'a Session, scope: &'a Scope, config: &'a Config) -> Self {
        Self {
            active: true,
            scope: scope.as_str(),
            client_id: &session.client_id,
            sub: session.user_id,
            iss: &config.issuer,
            sid: session.id,
        }
    }
}
