//! The body of `POST /login`.

use std::net::IpAddr;
use std::sync::Arc;

use auth_core::login::LoginName;
use auth_core::scope::Scope;
use auth_http::body::{self, Unreadable};
use auth_http::browser::{Browsers, Caller};
use auth_http::request::Request;
use auth_password::password::Password;
use serde::Deserialize;

use crate::Refusal;

/// The longest name of a device, in code points.
const MAX_DEVICE_LENGTH: usize = 64;

const EXPECTED: &str = "expected {\"username\", \"password\", \"scope\"?, \"device\"?}, all strings";

/// Who wants to sign in, and for what.
pub(crate) struct LoginRequest {
    pub(crate) caller: Caller,
    pub(crate) name: LoginName,
    pub(crate) password: Arc<Password>,
    pub(crate) scope: Option<Scope>,
    pub(crate) device: Option<String>,
    /// Where the request came from, as the gateway knows it.
    pub(crate) address: Option<IpAddr>,
}

#[derive(Deserialize)]
struct LoginBody {
    username: String,
    password: zeroize::Zeroizing<String>,
    scope: Option<String>,
    device: Option<String>,
}

impl LoginRequest {
    pub(crate) fn parse(request: &Request, browsers: &Browsers) -> Result<Self, Refusal> {
        let caller = browsers.caller(request)?;
        let body: LoginBody = body::json(request, EXPECTED)?;
        Ok(Self {
            caller,
            name: LoginName::parse(&body.username)
                .map_err(|_| Unreadable::Malformed("username: expected 1 to 128 characters without spaces"))?,
            password: Password::presented(&body.password)
                .map_err(|_| Unreadable::Malformed("password: expected 1 to 256 characters"))?
                .into(),
            scope: body.scope.as_deref().map(Scope::parse).transpose().map_err(|_| Refusal::MalformedScope)?,
            device: body.device.map(device).transpose()?,
            address: request.context.source_ip,
        })
    }
}

fn device(name: String) -> Result<String, Unreadable> {
    if name.is_empty() || name.chars().count() > MAX_DEVICE_LENGTH || name.chars().any(char::is_control) {
        return Err(Unreadable::Malformed("device: expected 1 to 64 characters, none of them control characters"));
    }
    Ok(name)
}
