//! Who calls: what the authorizer handed on.

use auth_core::id::UserId;
use auth_http::request::Context;
use auth_http::response::{self, Response};
use serde_json::{Value, json};

/// The caller, as the authorizer knows it. API Gateway has turned every value into a string.
pub(crate) struct Caller<'a> {
    context: &'a Context,
    sub: &'a str,
    pub(crate) sid: &'a str,
}

/// Why a caller is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// Nobody comes here past the authorizer: the route was deployed without one.
    #[error("the request has not passed the authorizer")]
    NotAuthorized,
    /// The token is of another issuer, whose `sub` may look like one of ours.
    #[error("the access token is of another issuer")]
    OfAnotherIssuer,
    /// A client by itself has no sessions, and is nobody here.
    #[error("a client by itself")]
    NoUser,
    /// A client that acts for a user has nothing to do with the user's other sessions.
    #[error("a client that acts for the user")]
    Delegated,
}

impl<'a> Caller<'a> {
    pub(crate) fn of(context: &'a Context) -> Result<Self, Unfit> {
        if context.authorizer.contains_key("iss") {
            return Err(Unfit::OfAnotherIssuer);
        }
        let text = |name: &str| context.authorizer.get(name).and_then(Value::as_str);
        let sub = text("sub").ok_or(Unfit::NotAuthorized)?;
        Ok(Self { context, sub, sid: text("sid").ok_or(Unfit::NoUser)? })
    }

    /// The same, if it is the user and nobody who acts for the user.
    pub(crate) fn in_person(self) -> Result<Self, Unfit> {
        if self.context.authorizer.contains_key("act") { Err(Unfit::Delegated) } else { Ok(self) }
    }

    /// The caller as a user of ours.
    pub(crate) fn user_id(&self) -> Option<UserId> {
        UserId::parse(self.sub).ok()
    }

    /// `GET /me`. Roles are an array again.
    pub(crate) fn describe(&self) -> Response {
        let text = |name: &str| self.context.authorizer.get(name).and_then(Value::as_str);
        let roles: Vec<&str> = text("roles").unwrap_or_default().split(' ').filter(|role| !role.is_empty()).collect();
        let mut described = json!({
            "sub": self.sub,
            "sid": self.sid,
            "client_id": text("client_id"),
            "scope": text("scope").unwrap_or_default(),
            "roles": roles,
            "exp": text("exp").and_then(|exp| exp.parse::<u64>().ok()),
        });
        if let (Some(actor), Some(described)) = (text("act"), described.as_object_mut()) {
            described.insert("act".to_owned(), json!({"sub": actor}));
        }
        response::document(&described)
    }
}
