//! The kinds of gateway, and how each asks its authorizer.
//!
//! Each test says which rule of API Gateway's developer guide it holds the gateway to.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use auth_core::time::UnixTime;
use auth_log::invocation;
use serde_json::{Map, Value};
use tracing::Instrument as _;

use crate::answer::{Answer, Verdict};
use crate::event::Exchange;
use crate::identity::IdentitySource;
use crate::response::GatewayResponse;

/// A kind of gateway, and of authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// A REST API with a TOKEN authorizer.
    RestToken,
    /// A REST API with a REQUEST authorizer.
    RestRequest,
    /// An HTTP API.
    Http(Payload),
    /// A WebSocket API, whose authorizer is asked when a connection opens.
    WebSocket,
}

/// The payload format of an HTTP API's authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `1.0`, answered by an IAM policy.
    One,
    /// `2.0`, answered by an IAM policy or, if the gateway is told so, simply.
    Two {
        /// `EnableSimpleResponses`.
        simple: bool,
    },
}

/// How an authorizer is attached to a gateway.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The kind of gateway.
    pub surface: Surface,
    /// What names the caller; all of it must be there.
    pub identity_sources: Vec<IdentitySource>,
    /// How long an answer serves; zero never.
    pub ttl: Duration,
}

/// What API Gateway would not accept when it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// A TOKEN authorizer takes one header field, no more and nothing else.
    #[error("a TOKEN authorizer has one identity source, a header field")]
    NotOneHeader,
    /// Without a key, nothing can be kept.
    #[error("an authorizer with a cache has at least one identity source")]
    CacheWithoutKey,
    /// WebSocket APIs keep no answers.
    #[error("the authorizer of a WebSocket API has no cache")]
    CachedWebSocket,
}

impl Attachment {
    /// As the template does it: the `Authorization` header field, no cache. WebSocket APIs need no identity source, and
    /// browsers can send no header field to them.
    pub fn new(surface: Surface) -> Self {
        let identity_sources = match surface {
            Surface::WebSocket => Vec::new(),
            _ => vec![IdentitySource::authorization()],
        };
        Self { surface, identity_sources, ttl: Duration::ZERO }
    }

    fn check(&self) -> Result<(), AttachmentError> {
        match (self.surface, self.identity_sources.as_slice()) {
            (Surface::RestToken, [IdentitySource::Header(_)]) => Ok(()),
            (Surface::RestToken, _) => Err(AttachmentError::NotOneHeader),
            _ if self.ttl.is_zero() => Ok(()),
            (Surface::WebSocket, _) => Err(AttachmentError::CachedWebSocket),
            (_, []) => Err(AttachmentError::CacheWithoutKey),
            _ => Ok(()),
        }
    }
}

/// Invokes an authorizer: its answer, or the text of its error.
pub(crate) type Invoke = Box<dyn Fn(Value) -> Answered + Send + Sync>;

/// What comes of it.
pub(crate) type Answered = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

/// A gateway's side of its authorizer.
pub(crate) struct Authorization {
    attachment: Attachment,
    invoke: Invoke,
    kept: Mutex<HashMap<Vec<String>, Kept>>,
}

struct Kept {
    answer: Answer,
    until: UnixTime,
}

impl Authorization {
    pub(crate) fn new(attachment: Attachment, invoke: Invoke) -> Result<Self, AttachmentError> {
        attachment.check()?;
        Ok(Self { attachment, invoke, kept: Mutex::default() })
    }

    /// What the authorizer hands on of the caller, if the request may be made.
    pub(crate) async fn authorize(
        &self,
        exchange: &Exchange<'_>,
        now: UnixTime,
    ) -> Result<Map<String, Value>, GatewayResponse> {
        let sources = self.attachment.identity_sources.iter().map(|source| source.of(exchange));
        let identity: Vec<String> = sources.collect::<Option<_>>().ok_or(GatewayResponse::Unauthorized)?;
        let answer = match self.kept(&identity, now) {
            Some(answer) => answer,
            None => self.ask(exchange, identity, now).await?,
        };
        let arn = match self.attachment.surface {
            Surface::WebSocket => exchange.stage.arn("$connect"),
            _ => exchange.arn(),
        };
        match answer.verdict(&arn) {
            Verdict::Allowed => self.handed_on(&answer).ok_or(GatewayResponse::Default5xx),
            Verdict::NotAllowed | Verdict::Denied => Err(GatewayResponse::AccessDenied),
        }
    }

    async fn ask(
        &self,
        exchange: &Exchange<'_>,
        identity: Vec<String>,
        now: UnixTime,
    ) -> Result<Answer, GatewayResponse> {
        let event = match self.attachment.surface {
            Surface::RestToken => exchange.token(identity.first().map(String::as_str).unwrap_or_default()),
            Surface::RestRequest => exchange.request(),
            Surface::Http(Payload::One) => exchange.http_1(&identity),
            Surface::Http(Payload::Two { .. }) => exchange.http_2(&identity),
            Surface::WebSocket => exchange.connect(),
        };
        let span = invocation::span("authorizer", &exchange.received.id, None);
        let answer = (self.invoke)(event).instrument(span).await.map_err(|error| match error.as_str() {
            "Unauthorized" => GatewayResponse::Unauthorized,
            _ => GatewayResponse::Default5xx,
        })?;
        let simple = self.attachment.surface == Surface::Http(Payload::Two { simple: true });
        let answer = Answer::parse(answer, simple).ok_or(GatewayResponse::Default5xx)?;
        if !self.attachment.ttl.is_zero() {
            let kept = Kept { answer: answer.clone(), until: now + self.attachment.ttl };
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(identity, kept);
        }
        Ok(answer)
    }

    fn kept(&self, identity: &[String], now: UnixTime) -> Option<Answer> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| now < kept.until);
        kept.get(identity).map(|kept| kept.answer.clone())
    }

    fn handed_on(&self, answer: &Answer) -> Option<Map<String, Value>> {
        match self.attachment.surface {
            Surface::Http(_) => Some(answer.as_it_is()),
            _ => answer.stringified(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use axum::http::Request;
    use axum::http::request::Parts;
    use serde_json::json;

    use super::*;
    use crate::event::Received;
    use crate::stage::Stage;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
    const HTTP_2: Surface = Surface::Http(Payload::Two { simple: false });
    const SIMPLE: Surface = Surface::Http(Payload::Two { simple: true });
    const ALL: [Surface; 6] =
        [Surface::RestToken, Surface::RestRequest, Surface::Http(Payload::One), HTTP_2, SIMPLE, Surface::WebSocket];

    /// The events that an authorizer was asked.
    type Asked = Arc<Mutex<Vec<Value>>>;

    /// An authorizer of which all that is known is its answer.
    fn answering(attachment: Attachment, answer: Result<Value, &str>) -> (Authorization, Asked) {
        let asked = Asked::default();
        let answer = answer.map_err(str::to_owned);
        let invoke = {
            let asked = Arc::clone(&asked);
            Box::new(move |event: Value| -> Answered {
                asked.lock().unwrap().push(event);
                Box::pin(std::future::ready(answer.clone()))
            })
        };
        (Authorization::new(attachment, invoke).unwrap(), asked)
    }

    fn parts(path: &str, headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn authorize_at(
        authorization: &Authorization,
        parts: &Parts,
        now: UnixTime,
    ) -> Result<Map<String, Value>, GatewayResponse> {
        let stage = Stage::new(Some("dev"), "");
        let received = Received { id: "id".to_owned(), at: now, from: IpAddr::V4(Ipv4Addr::LOCALHOST) };
        let path = stage.path(&parts.uri).unwrap();
        let parameters = Map::new();
        let exchange = Exchange { parts, stage: &stage, path, resource: path, parameters, received: &received };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(authorization.authorize(&exchange, now))
    }

    fn authorize(authorization: &Authorization, path: &str) -> Result<Map<String, Value>, GatewayResponse> {
        authorize_at(authorization, &parts(path, &[("authorization", "Bearer a")]), NOW)
    }

    /// A policy that allows what stands behind the stage in an ARN.
    fn allow(targets: &[&str]) -> Value {
        let resources: Vec<String> = targets.iter().map(|target| Stage::new(Some("dev"), "").arn(target)).collect();
        let statement = json!([{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": resources}]);
        json!({"principalId": "u", "policyDocument": {"Version": "2012-10-17", "Statement": statement}, "context": {"n": 7}})
    }

    fn answer_for(surface: Surface) -> Value {
        if surface == SIMPLE { json!({"isAuthorized": true, "context": {"n": 7}}) } else { allow(&["*"]) }
    }

    /// Lambda authorizers' input, for each kind of API: the ARN has the path without the stage's, `rawPath` with it.
    #[test]
    fn each_kind_of_gateway_sends_its_own_event() {
        for surface in ALL {
            let (authorization, asked) = answering(Attachment::new(surface), Ok(answer_for(surface)));
            authorize(&authorization, "/dev/x?q=1").unwrap();
            let event = asked.lock().unwrap().remove(0);
            let arn = |target: &str| Value::from(Stage::new(Some("dev"), "").arn(target));
            let (kind, version, method_arn, route_arn) = match surface {
                Surface::RestToken => ("TOKEN", Value::Null, arn("GET/x"), Value::Null),
                Surface::RestRequest => ("REQUEST", Value::Null, arn("GET/x"), Value::Null),
                Surface::Http(Payload::One) => ("REQUEST", "1.0".into(), arn("GET/x"), Value::Null),
                Surface::Http(Payload::Two { .. }) => ("REQUEST", "2.0".into(), Value::Null, arn("GET/x")),
                Surface::WebSocket => ("REQUEST", Value::Null, arn("$connect"), Value::Null),
            };
            assert_eq!(event["type"], kind, "{surface:?}");
            assert_eq!(
                (&event["version"], &event["methodArn"], &event["routeArn"]),
                (&version, &method_arn, &route_arn)
            );
            let is_two = matches!(surface, Surface::Http(Payload::Two { .. }));
            assert_eq!(event["rawPath"], if is_two { "/dev/x".into() } else { Value::Null }, "{surface:?}");
            let identity = match surface {
                Surface::Http(Payload::One) => json!("Bearer a"),
                Surface::Http(Payload::Two { .. }) => json!(["Bearer a"]),
                _ => Value::Null,
            };
            assert_eq!(event["identitySource"], identity, "{surface:?}");
            let authorization = if surface == Surface::RestToken { Value::Null } else { "Bearer a".into() };
            assert_eq!(event["headers"]["authorization"], authorization, "{surface:?}");
        }
    }

    /// Identity sources: one that is missing or empty is a 401, and the authorizer is not called.
    #[test]
    fn without_its_identity_source_a_request_is_refused_unasked() {
        for surface in ALL.into_iter().filter(|surface| *surface != Surface::WebSocket) {
            let (authorization, asked) = answering(Attachment::new(surface), Ok(answer_for(surface)));
            for headers in [&[][..], &[("authorization", "")]] {
                let refused = authorize_at(&authorization, &parts("/dev/x", headers), NOW);
                assert_eq!(refused, Err(GatewayResponse::Unauthorized), "{surface:?}");
            }
            assert!(asked.lock().unwrap().is_empty(), "{surface:?}");
        }
        let (authorization, asked) = answering(Attachment::new(Surface::WebSocket), Ok(allow(&["$connect"])));
        assert!(authorize_at(&authorization, &parts("/dev/", &[]), NOW).is_ok(), "it has none by default");
        assert_eq!(asked.lock().unwrap().len(), 1);
    }

    /// An error whose text is `Unauthorized` is a 401; every other error, and every answer of another form, a 500. (For
    /// HTTP APIs, the 401 is not documented.)
    #[test]
    fn errors_and_odd_answers() {
        for surface in ALL {
            let cases = [
                (Err("Unauthorized"), GatewayResponse::Unauthorized),
                (Err("unauthorized"), GatewayResponse::Default5xx),
                (Err("Unauthorized."), GatewayResponse::Default5xx),
                (Err("timed out"), GatewayResponse::Default5xx),
                (Ok(Value::Null), GatewayResponse::Default5xx),
                (Ok(json!({"principalId": "u"})), GatewayResponse::Default5xx),
                (Ok(json!({"isAuthorized": 1})), GatewayResponse::Default5xx),
            ];
            for (answer, expected) in cases {
                let (authorization, _) = answering(Attachment::new(surface), answer.clone());
                assert_eq!(authorize(&authorization, "/dev/x"), Err(expected), "{surface:?} {answer:?}");
            }
            let denying = if surface == SIMPLE { json!({"isAuthorized": false}) } else { allow(&["GET/other"]) };
            let (authorization, _) = answering(Attachment::new(surface), Ok(denying));
            assert_eq!(authorize(&authorization, "/dev/x"), Err(GatewayResponse::AccessDenied), "{surface:?}");
        }
    }

    /// REST and WebSocket APIs hand on strings and take no arrays or maps; HTTP APIs hand on JSON.
    #[test]
    fn what_is_handed_on() {
        for surface in ALL {
            let mut answer = answer_for(surface);
            let (authorization, _) = answering(Attachment::new(surface), Ok(answer.clone()));
            let is_http = matches!(surface, Surface::Http(_));
            let expected = if is_http { json!(7) } else { json!("7") };
            assert_eq!(authorize(&authorization, "/dev/x").unwrap()["n"], expected, "{surface:?}");
            answer["context"] = json!({"a": [1]});
            let (authorization, _) = answering(Attachment::new(surface), Ok(answer));
            assert_eq!(authorize(&authorization, "/dev/x").is_ok(), is_http, "{surface:?}");
        }
    }

    /// Authorization caching: what is kept for a caller is applied to every route, unless `$context.routeKey` is an
    /// identity source. A WebSocket API keeps nothing.
    #[test]
    fn an_answer_is_kept_for_its_identity_and_every_route() {
        for surface in ALL.into_iter().filter(|surface| *surface != Surface::WebSocket) {
            let ttl = Duration::from_secs(300);
            let answer = if surface == SIMPLE { json!({"isAuthorized": true}) } else { allow(&["GET/x"]) };
            let attachment = Attachment { ttl, ..Attachment::new(surface) };
            let (authorization, asked) = answering(attachment.clone(), Ok(answer.clone()));
            assert!(authorize(&authorization, "/dev/x").is_ok(), "{surface:?}");
            // A policy is evaluated again, a simple answer is not.
            assert_eq!(authorize(&authorization, "/dev/y").is_ok(), surface == SIMPLE, "{surface:?}");
            let other = parts("/dev/x", &[("authorization", "Bearer b")]);
            let own = parts("/dev/x", &[("authorization", "Bearer a")]);
            assert!(authorize_at(&authorization, &own, (NOW + ttl).before(Duration::from_millis(1))).is_ok());
            assert_eq!(asked.lock().unwrap().len(), 1, "{surface:?}: kept");
            assert!(authorize_at(&authorization, &other, NOW).is_ok());
            assert!(authorize_at(&authorization, &own, NOW + ttl).is_ok());
            assert_eq!(asked.lock().unwrap().len(), 3, "{surface:?}: another caller, and a later time");

            if surface == Surface::RestToken {
                continue;
            }
            let identity_sources = vec![IdentitySource::authorization(), IdentitySource::RouteKey];
            let (authorization, asked) = answering(Attachment { identity_sources, ..attachment }, Ok(answer));
            for path in ["/dev/x", "/dev/y", "/dev/x"] {
                let _ = authorize(&authorization, path);
            }
            assert_eq!(asked.lock().unwrap().len(), 2, "{surface:?}: by route");
        }
    }

    /// What API Gateway does not accept when an authorizer is created.
    #[test]
    fn attachments_that_cannot_be() {
        let ttl = Duration::from_secs(1);
        let query = vec![IdentitySource::Query("token".to_owned())];
        let new = Attachment::new;
        let cases = [
            (
                Attachment { identity_sources: query.clone(), ..new(Surface::RestToken) },
                Err(AttachmentError::NotOneHeader),
            ),
            (
                Attachment { identity_sources: Vec::new(), ..new(Surface::RestToken) },
                Err(AttachmentError::NotOneHeader),
            ),
            (Attachment { identity_sources: Vec::new(), ..new(Surface::RestRequest) }, Ok(())),
            (
                Attachment { identity_sources: Vec::new(), ttl, ..new(Surface::RestRequest) },
                Err(AttachmentError::CacheWithoutKey),
            ),
            (Attachment { identity_sources: query, ttl, ..new(HTTP_2) }, Ok(())),
            (Attachment { identity_sources: Vec::new(), ttl, ..new(HTTP_2) }, Err(AttachmentError::CacheWithoutKey)),
            (Attachment { ttl, ..new(Surface::WebSocket) }, Err(AttachmentError::CachedWebSocket)),
        ];
        for (attachment, expected) in cases {
            let made =
                Authorization::new(attachment.clone(), Box::new(|_| Box::pin(std::future::ready(Err(String::new())))));
            assert_eq!(made.map(drop), expected, "{attachment:?}");
        }
    }
}
