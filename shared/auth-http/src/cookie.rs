//! The cookie that holds a browser's refresh token (RFC 6265).

use std::time::Duration;

use lambda_http::http::HeaderValue;
use lambda_http::http::header::{COOKIE, SET_COOKIE};
use zeroize::Zeroizing;

use crate::request::Request;
use crate::response::Response;

/// Its name. Browsers take a cookie of this prefix with `Secure` alone, so that no page without TLS plants one.
const NAME: &str = "__Secure-refresh_token";

/// Where it is sent to, and nowhere else: one cookie for each.
const ROUTES: [&str; 2] = ["/refresh", "/logout"];

/// Hands the token to the browser, under the URL's `base`, for `life`.
pub(crate) fn set(response: &mut Response, base: &str, refresh_token: &str, life: Duration) {
    for route in ROUTES {
        let attributes = format!("Path={base}{route}; Max-Age={}; HttpOnly; Secure; SameSite=Strict", life.as_secs());
        // Of a token and a path of visible ASCII, nothing else can come.
        if let Ok(mut value) = HeaderValue::try_from(format!("{NAME}={refresh_token}; {attributes}")) {
            value.set_sensitive(true);
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
}

/// Takes it from the browser.
pub(crate) fn clear(response: &mut Response, base: &str) {
    set(response, base, "", Duration::ZERO);
}

/// Reads it, as often as it is there. Other cookies are left alone, whatever they look like.
pub(crate) fn read(request: &Request) -> Vec<Zeroizing<String>> {
    request.headers.get_all(COOKIE).iter().flat_map(tokens).collect()
}

/// The tokens in one field. Neighbours may have set cookies of any bytes; of ours, odd bytes make another token.
fn tokens(field: &HeaderValue) -> Vec<Zeroizing<String>> {
    let field = String::from_utf8_lossy(field.as_bytes());
    let pairs = field.split(';').filter_map(|pair| pair.trim_matches(' ').split_once('='));
    pairs.filter(|(name, _)| *name == NAME).map(|(_, token)| Zeroizing::new(token.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::response;

    #[test]
    fn the_cookie_is_found_among_others() {
        let cases = [
            (json!([]), vec![]),
            (json!([""]), vec![]),
            (json!(["__Secure-refresh_token=t"]), vec!["t"]),
            (json!(["a=1; __Secure-refresh_token=t; b=2"]), vec!["t"]),
            (json!(["a=1;__Secure-refresh_token=t"]), vec!["t"]),
            (json!(["a=1", "__Secure-refresh_token=t"]), vec!["t"]),
            (json!(["a; ==; =x;;; __Secure-refresh_token=t=u"]), vec!["t=u"]),
            (json!(["theme=cr\u{e8}me; \u{1f36a}; __Secure-refresh_token=t"]), vec!["t"]),
            (json!(["__Secure-refresh_token=\u{e8}"]), vec!["\u{e8}"]),
            (json!(["__Secure-refresh_token="]), vec![""]),
            (json!(["__Secure-refresh_token=\"t\""]), vec!["\"t\""]),
            (json!(["__Secure-refresh_token=t; __Secure-refresh_token=u"]), vec!["t", "u"]),
            (json!(["__Secure-refresh_token=t", "__Secure-refresh_token=t"]), vec!["t", "t"]),
            (json!(["__Secure-refresh_token"]), vec![]),
            (json!(["__secure-refresh_token=t"]), vec![]),
            (json!(["__Secure-refresh_token =t"]), vec![]),
            (json!(["x__Secure-refresh_token=t; __Secure-refresh_tokens=t"]), vec![]),
            (json!(["a=__Secure-refresh_token=t"]), vec![]),
            (json!(["a=1, __Secure-refresh_token=t"]), vec![]),
        ];
        for (fields, expected) in cases {
            let request = Request::from_event(&json!({"multiValueHeaders": {"Cookie": fields}}));
            let tokens = read(&request);
            assert_eq!(tokens.iter().map(|token| token.as_str()).collect::<Vec<_>>(), expected, "{fields}");
        }
    }

    #[test]
    fn it_is_set_and_cleared_with_the_same_attributes() {
        let set_cookies = |response: Response| -> Vec<String> {
            let values = response.headers().get_all(SET_COOKIE).iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        let mut response = response::no_content();
        set(&mut response, "/prod", "csr_t", Duration::from_mins(1));
        let expected = [
            "__Secure-refresh_token=csr_t; Path=/prod/refresh; Max-Age=60; HttpOnly; Secure; SameSite=Strict",
            "__Secure-refresh_token=csr_t; Path=/prod/logout; Max-Age=60; HttpOnly; Secure; SameSite=Strict",
        ];
        assert_eq!(set_cookies(response), expected);

        let mut response = response::no_content();
        clear(&mut response, "");
        let expected = [
            "__Secure-refresh_token=; Path=/refresh; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
            "__Secure-refresh_token=; Path=/logout; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
        ];
        assert_eq!(set_cookies(response), expected);
    }
}
