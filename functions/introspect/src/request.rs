//! The body of `POST /oauth/introspect` (RFC 7662 §2.1).

use auth_core::client::ClientCredentials;
use auth_http::body::{self, Unreadable};
use auth_http::client::{self, ClientRefused};
use auth_http::request::Request;
use zeroize::Zeroizing;

use crate::Refusal;

/// Who asks about which token.
///
/// `token_type_hint` is not looked at: each token says by its first characters which kind it is, and a wrong hint must
/// make no difference.
pub(crate) struct IntrospectionRequest {
    pub(crate) credentials: ClientCredentials,
    pub(crate) token: Zeroizing<String>,
}

impl IntrospectionRequest {
    pub(crate) fn parse(request: &Request) -> Result<Self, Refusal> {
        let mut form = body::form(request)?;
        let credentials = client::credentials(request, &mut form)?;
        let token = form.remove("token").ok_or(Unreadable::Malformed("token is missing"))?.into();
        Ok(Self { credentials: credentials.ok_or(ClientRefused::Invalid)?, token })
    }
}
