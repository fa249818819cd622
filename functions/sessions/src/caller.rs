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

/// Why the caller is none of our users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAUser {
    /// Nobody comes here past the authorizer: the route was deployed without one.
    #[error("the request has not passed the authorizer")]
    NotAuthorized,
    /// The token is of another issuer, whose `sub` may look like one of ours.
    #[error("the access token is of another issuer")]
    OfAnotherIssuer,
}

impl<'a> Caller<'a> {
    pub(crate) fn of(context: &'a Context) -> Result<Self, NotAUser> {
        if context.authorizer.contains_key("iss") {
            return Err(NotAUser::OfAnotherIssuer);
        }
        let text = |name: &str| context.authorizer.get(name).and_then(Value::as_str).ok_or(NotAUser::NotAuthorized);
        Ok(Self { context, sub: text("sub")?, sid: text("sid")? })
    }

    /// The caller as a user of ours.
    pub(crate) fn user_id(&self) -> Option<UserId> {
        UserId::parse(self.sub).ok()
    }

    /// `GET /me`. Roles are an array again.
    pub(crate) fn describe(&self) -> Response {
        let text = |name: &str| self.context.authorizer.get(name).and_then(Value::as_str);
        let roles: Vec<&str> = text("roles").unwrap_or_default().split(' ').filter(|role| !role.is_empty()).collect();
        response::document(&json!({
            "sub": self.sub,
            "sid": self.sid,
            "client_id": text("client_id"),
            "scope": text("scope").unwrap_or_default(),
            "roles": roles,
            "exp": text("exp").and_then(|exp| exp.parse::<u64>().ok()),
        }))
    }
}
