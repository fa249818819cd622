//! Client authentication (RFC 6749 §2.3.1): who a request says it is from. Whether that is true, the store knows.

use auth_core::client::{ClientCredentials, ClientId, ClientSecret};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use crate::body::{Form, Unreadable};
use crate::request::Request;
use crate::response::{self, Response};

/// Why a request is from no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientRefused {
    /// 400. It says so twice, or half.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// 401. The credentials are missing where they are needed, of another scheme, malformed, or not a client's own.
    #[error("no client, or not by its own secret")]
    Invalid,
}

impl ClientRefused {
    /// 400 `invalid_request`, or 401 `invalid_client`, one for all causes.
    pub fn into_response(self) -> Response {
        match self {
            Self::Unreadable(error) => response::oauth_unreadable(error),
            Self::Invalid => {
                tracing::warn!(event = "client_refused", reason = "not_authenticated");
                response::invalid_client()
            }
        }
    }
}

/// Reads the credentials of a request: from `Authorization: Basic`, or from the form's `client_id` and `client_secret`.
/// The secret is taken out of the form. `None` when there are neither: a `client_id` alone proves nothing.
///
/// [`ClientCredentials::authenticate`] says whether they are right.
///
/// # Errors
///
/// [`ClientRefused`].
pub fn credentials(request: &Request, form: &mut Form) -> Result<Option<ClientCredentials>, ClientRefused> {
    let secret = form.remove("client_secret").map(Zeroizing::new);
    let id = form.get("client_id").map(String::as_str);
    read(authorization(request)?, secret, id)
}

/// The same, for requests that need no client: `Authorization` of another scheme than `Basic` is none of a client's. (Apps
/// put their access token on every request.)
///
/// # Errors
///
/// [`ClientRefused`]: credentials that are there have to be right.
pub fn credentials_if_any(request: &Request, form: &mut Form) -> Result<Option<ClientCredentials>, ClientRefused> {
    let is_basic = |value: &HeaderValue| {
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Basic"))
    };
    if request.headers.get_all(AUTHORIZATION).iter().any(is_basic) {
        return credentials(request, form);
    }
    let secret = form.remove("client_secret").map(Zeroizing::new);
    read(None, secret, form.get("client_id").map(String::as_str))
}

fn read(
    authorization: Option<Zeroizing<String>>,
    secret: Option<Zeroizing<String>>,
    id: Option<&str>,
) -> Result<Option<ClientCredentials>, ClientRefused> {
    match (authorization, secret) {
        (Some(_), Some(_)) => malformed("the client's credentials stand in the header and in the body"),
        (Some(value), None) => {
            let credentials = basic(&value).ok_or(ClientRefused::Invalid)?;
            if id.is_some_and(|id| id != credentials.id.as_str()) {
                return malformed("client_id is another than that of the header");
            }
            Ok(Some(credentials))
        }
        (None, Some(secret)) => match id {
            Some(id) => parse(id, &secret).map(Some).ok_or(ClientRefused::Invalid),
            None => malformed("client_secret without client_id"),
        },
        (None, None) => Ok(None),
    }
}

fn malformed<T>(what: &'static str) -> Result<T, ClientRefused> {
    Err(Unreadable::Malformed(what).into())
}

/// The one header field. A value that is no text is no credentials of ours, either.
fn authorization(request: &Request) -> Result<Option<Zeroizing<String>>, ClientRefused> {
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return malformed("the header field Authorization stands there twice");
    }
    Ok(Some(value.to_str().unwrap_or_default().to_owned().into()))
}

/// RFC 7617 §2, identifier and secret being form-urlencoded before (RFC 6749 §2.3.1).
fn basic(value: &str) -> Option<ClientCredentials> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded.trim_start_matches(' ')).ok()?);
    let (id, secret) = str::from_utf8(&bytes).ok()?.split_once(':')?;
    parse(&decoded(id)?, &decoded(secret)?)
}

/// One value out of its form encoding.
fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let is_one = !text.contains(['&', '=']);
    let (value, _) = form_urlencoded::parse(text.as_bytes()).next().filter(|_| is_one)?;
    Some(value.into_owned().into())
}

/// What is malformed was never given out: no client is asked for it.
fn parse(id: &str, secret: &str) -> Option<ClientCredentials> {
    Some(ClientCredentials { id: ClientId::parse(id).ok()?, secret: ClientSecret::parse(secret).ok()? })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "csc_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn encoded(credentials: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(credentials))
    }

    /// Who is a public client is not asked for the scheme of an access token.
    #[test]
    fn where_no_client_is_needed_basic_alone_is_a_clients() {
        let (good, secret) = (encoded(&format!("my.api:{SECRET}")), format!("client_id=my.api&client_secret={SECRET}"));
        let my_api = || Ok(Some("my.api".to_owned()));
        let cases = [
            ("an access token", json!(["Bearer x"]), "client_id=web", Ok(None)),
            ("another scheme", json!(["DPoP x"]), "", Ok(None)),
            ("nothing", json!([]), "client_id=web", Ok(None)),
            ("Basic", json!([good]), "", my_api()),
            ("basic", json!([good.replace("Basic", "bASIC")]), "", my_api()),
            ("an access token, and a body", json!(["Bearer x"]), &secret, my_api()),
            ("Basic that is wrong", json!(["Basic x"]), "", Err(ClientRefused::Invalid)),
            ("Basic alone", json!(["Basic"]), "", Err(ClientRefused::Invalid)),
        ];
        for (name, authorization, form, expected) in cases {
            let event = json!({"httpMethod": "POST", "multiValueHeaders": {"Authorization": authorization}});
            let mut form: Form = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
            let found = credentials_if_any(&Request::from_event(&event), &mut form);
            assert_eq!(found.map(|it| it.map(|it| it.id.to_string())), expected, "{name}");
        }
        let event = json!({"httpMethod": "POST", "multiValueHeaders": {"Authorization": [good, "Bearer x"]}});
        let found = credentials_if_any(&Request::from_event(&event), &mut Form::new());
        assert!(matches!(found, Err(ClientRefused::Unreadable(_))), "two header fields: {found:?}");
    }

    /// The client of a request, with what is left of its form.
    fn of_request(authorization: &Value, form: &str) -> (Result<Option<String>, ClientRefused>, Form) {
        let event = json!({"httpMethod": "POST", "multiValueHeaders": {"Authorization": authorization}});
        let mut form: Form = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let credentials = credentials(&Request::from_event(&event), &mut form);
        let id = |credentials: ClientCredentials| {
            assert_eq!(credentials.secret.text().as_str(), SECRET);
            credentials.id.to_string()
        };
        (credentials.map(|credentials| credentials.map(id)), form)
    }

    #[test]
    fn a_header_names_a_client_or_is_refused() {
        let good = encoded(&format!("my.api:{SECRET}"));
        let spelled = SECRET.replace('_', "%5F").replacen('c', "%63", 1);
        let cases = [
            ("as it is", good.clone(), true),
            ("the scheme in any case", good.replace("Basic", "bAsIC"), true),
            ("two spaces", good.replace(' ', "  "), true),
            ("form-urlencoded", encoded(&format!("my%2Eapi:{spelled}")), true),
            ("another scheme", good.replace("Basic", "Bearer"), false),
            ("no scheme", good.replace("Basic ", ""), false),
            ("scheme alone", "Basic".to_owned(), false),
            ("no base64", "Basic %%%".to_owned(), false),
            ("no text", format!("Basic {}", BASE64_STANDARD.encode([0xff, b':', 0xff])), false),
            ("no colon", encoded("my.api"), false),
            ("no secret", encoded("my.api:"), false),
            ("no identifier", encoded(&format!(":{SECRET}")), false),
            ("an odd identifier", encoded(&format!("my+api:{SECRET}")), false),
            ("a wildcard", encoded(&format!("*:{SECRET}")), false),
            ("two values", encoded(&format!("my.api&x:{SECRET}")), false),
            ("a value with a name", encoded(&format!("my.api=x:{SECRET}")), false),
            ("one more colon", encoded(&format!("my.api:{SECRET}:")), false),
            ("another secret", encoded("my.api:password"), false),
            ("nothing", String::new(), false),
        ];
        for (name, value, is_good) in cases {
            let expected = if is_good { Ok(Some("my.api".to_owned())) } else { Err(ClientRefused::Invalid) };
            assert_eq!(of_request(&json!([value]), "token=t").0, expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_body_names_a_client_or_is_refused() {
        let both = format!("client_id=my.api&client_secret={SECRET}");
        let cases = [
            (both.as_str(), Ok(Some("my.api".to_owned()))),
            ("token=t", Ok(None)),
            ("client_id=my.api", Ok(None)),
            ("client_id=my.api&client_secret=password", Err(ClientRefused::Invalid)),
            (&both.replace("my.api", "my%20api"), Err(ClientRefused::Invalid)),
        ];
        for (form, expected) in cases {
            let (client, left) = of_request(&json!([]), form);
            assert_eq!(client, expected, "{form}");
            assert!(!left.contains_key("client_secret"), "{form}");
            assert_eq!(left.contains_key("client_id"), form.contains("client_id"), "{form}");
        }
    }

    #[test]
    fn one_request_has_one_client_by_one_method() {
        let header = encoded(&format!("my.api:{SECRET}"));
        let secret = format!("client_secret={SECRET}");
        let cases = [
            ("both", json!([header]), format!("client_id=my.api&{secret}"), false),
            ("both, the header malformed", json!(["Basic x"]), format!("client_id=my.api&{secret}"), false),
            ("both, half of it in the body", json!([header]), secret.clone(), false),
            ("two headers", json!([header, header]), String::new(), false),
            ("another client", json!([header]), "client_id=other".to_owned(), false),
            ("a secret of nobody's", json!([]), secret, false),
            ("the same client", json!([header]), "client_id=my.api".to_owned(), true),
        ];
        for (name, authorization, form, is_good) in cases {
            let client = of_request(&authorization, &form).0;
            let is_malformed = matches!(client, Err(ClientRefused::Unreadable(Unreadable::Malformed(_))));
            assert_eq!((client.is_ok(), is_malformed), (is_good, !is_good), "{name}: {client:?}");
        }
    }
}
