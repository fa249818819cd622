//! Identity sources: what of a request names its caller, and so the answer that is kept for it.

use std::str::FromStr;

use axum::http::HeaderName;
use axum::http::header::AUTHORIZATION;

use crate::event::Exchange;

/// One identity source of an authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A header field; several of that name are joined, as HTTP does (RFC 9110 §5.3).
    Header(HeaderName),
    /// A query parameter.
    Query(String),
    /// `METHOD /path/{of}/the/route`, so that each route has an answer of its own.
    RouteKey,
}

/// The text is no identity source.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected request.header.NAME, request.querystring.NAME or context.routeKey")]
pub struct UnknownIdentitySource;

impl IdentitySource {
    /// The usual one.
    pub const fn authorization() -> Self {
        Self::Header(AUTHORIZATION)
    }

    /// What it says of a request; `None` where it says nothing.
    pub(crate) fn of(&self, exchange: &Exchange<'_>) -> Option<String> {
        let value = match self {
            Self::Header(name) => {
                let fields = exchange.parts.headers.get_all(name).iter();
                let fields: Vec<_> = fields.map(|field| String::from_utf8_lossy(field.as_bytes())).collect();
                fields.join(",")
            }
            Self::Query(name) => {
                let query = exchange.parts.uri.query().unwrap_or_default();
                let mut pairs = form_urlencoded::parse(query.as_bytes());
                pairs.find(|(key, _)| key == name)?.1.into_owned()
            }
            Self::RouteKey => exchange.route_key(),
        };
        (!value.is_empty()).then_some(value)
    }
}

/// As API Gateway writes them: `method.request.header.X` (REST), `$request.header.X` (HTTP), `route.request.header.X`
/// (WebSocket), `$context.routeKey`; what all have in common is enough.
impl FromStr for IdentitySource {
    type Err = UnknownIdentitySource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.trim_start_matches('$').trim_start_matches("method.").trim_start_matches("route.");
        if plain == "context.routeKey" {
            return Ok(Self::RouteKey);
        }
        if let Some(name) = plain.strip_prefix("request.header.") {
            return name.parse().map(Self::Header).map_err(|_| UnknownIdentitySource);
        }
        let name = plain.strip_prefix("request.querystring.").filter(|name| !name.is_empty());
        name.map(|name| Self::Query(name.to_owned())).ok_or(UnknownIdentitySource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_each_kind_of_api_writes_them() {
        for text in
            ["method.request.header.Authorization", "$request.header.authorization", "request.header.Authorization"]
        {
            assert_eq!(text.parse(), Ok(IdentitySource::authorization()), "{text}");
        }
        assert_eq!("route.request.querystring.token".parse(), Ok(IdentitySource::Query("token".to_owned())));
        assert_eq!("$context.routeKey".parse(), Ok(IdentitySource::RouteKey));
        for bad in
            ["", "Authorization", "request.header.", "request.header.a b", "$request.querystring.", "$context.path"]
        {
            assert_eq!(bad.parse::<IdentitySource>(), Err(UnknownIdentitySource), "{bad}");
        }
    }
}
