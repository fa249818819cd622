//! Who calls: whom a verified access token is about, ours or another issuer's.

use auth_core::claims::AccessClaims;
use auth_core::foreign::ForeignClaims;
use auth_core::scope::{Roles, Scope};

/// Whom a verified access token is about.
#[derive(Debug)]
pub(crate) enum Caller {
    /// A user or a client of ours.
    Own(AccessClaims),
    /// Somebody whom another issuer knows, and whose tokens our journal does not know.
    Other(ForeignClaims),
}

/// What a caller may do, as far as routes ask for it.
#[derive(Clone, Copy, Debug)]
pub struct Rights<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) roles: &'a Roles,
}

impl Caller {
    /// One text that names nobody else. No issuer has a `|` in it, and no user of ours.
    pub(crate) fn principal(&self) -> String {
        match self {
            Self::Own(claims) => claims.sub.clone(),
            Self::Other(claims) => format!("{}|{}", claims.iss, claims.sub),
        }
    }

    /// The issuer, if it is another one.
    pub(crate) fn iss(&self) -> Option<&str> {
        match self {
            Self::Own(_) => None,
            Self::Other(claims) => Some(&claims.iss),
        }
    }

    pub(crate) fn sub(&self) -> &str {
        match self {
            Self::Own(claims) => &claims.sub,
            Self::Other(claims) => &claims.sub,
        }
    }

    /// The session, which is of ours alone.
    pub(crate) fn sid(&self) -> Option<&str> {
        match self {
            Self::Own(claims) => claims.sid(),
            Self::Other(_) => None,
        }
    }

    pub(crate) fn jti(&self) -> Option<&str> {
        match self {
            Self::Own(claims) => Some(&claims.jti),
            Self::Other(claims) => claims.jti.as_deref(),
        }
    }
}

impl<'a> From<&'a Caller> for Rights<'a> {
    fn from(caller: &'a Caller) -> Self {
        match caller {
            Caller::Own(claims) => claims.into(),
            Caller::Other(ForeignClaims { scope, roles, .. }) => Self { scope, roles },
        }
    }
}

impl<'a> From<&'a AccessClaims> for Rights<'a> {
    fn from(AccessClaims { scope, roles, .. }: &'a AccessClaims) -> Self {
        Self { scope, roles }
    }
}
