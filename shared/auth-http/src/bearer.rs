//! The access token of a request that has not passed the authorizer.

use auth_core::bearer;
use lambda_http::http::header::AUTHORIZATION;

use crate::request::Request;

/// The header field `Authorization` holds something else than one bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one bearer token")]
pub struct NotBearer;

/// The token of the header field `Authorization` (RFC 6750 §2.1), if there is such a field: the scheme `Bearer` in any case,
/// one space, one token. Query and body are not read.
///
/// # Errors
///
/// [`NotBearer`] for another scheme, for lists and for a field that stands there twice.
pub fn token(request: &Request) -> Result<Option<&str>, NotBearer> {
    if !request.headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    request.header(&AUTHORIZATION).and_then(bearer::token).map(Some).ok_or(NotBearer)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn one_field_with_one_scheme_and_one_token() {
        let cases = [
            (json!([]), Ok(None)),
            (json!(["Bearer a.b-c"]), Ok(Some("a.b-c"))),
            (json!(["bEARER a"]), Ok(Some("a"))),
            (json!([""]), Err(NotBearer)),
            (json!(["Bearer"]), Err(NotBearer)),
            (json!(["Bearer "]), Err(NotBearer)),
            (json!(["Bearer  a"]), Err(NotBearer)),
            (json!(["Bearer a,b"]), Err(NotBearer)),
            (json!(["Bearer a, Bearer a"]), Err(NotBearer)),
            (json!(["Bearer caf\u{e9}"]), Err(NotBearer)),
            (json!(["Basic YTpi"]), Err(NotBearer)),
            (json!(["Bearer a", "Bearer a"]), Err(NotBearer)),
        ];
        for (fields, expected) in cases {
            let event: Value = json!({"httpMethod": "POST", "multiValueHeaders": {"Authorization": fields}});
            assert_eq!(token(&Request::from_event(&event)), expected, "{fields}");
        }
    }
}
