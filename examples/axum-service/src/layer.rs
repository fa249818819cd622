//! Layers of tower: one that lets in whoever has a good access token, and one that asks for a scope.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use auth_core::bearer;
use auth_core::claims::AccessClaims;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::tokens::Tokens;

/// Whatever is behind it finds [`AccessClaims`] among the request's extensions. Others get 401 as RFC 6750 §3 says, or 503 when the
/// keys are not to be had.
#[derive(Clone)]
pub struct RequireToken(pub Arc<Tokens>);

/// Asks, behind [`RequireToken`], for a scope: others get 403.
#[derive(Clone, Copy)]
pub struct RequireScope(pub &'static str);

/// A service behind one of the layers.
#[derive(Clone)]
pub struct Guarded<L, S> {
    layer: L,
    inner: S,
}

impl<S> Layer<S> for RequireToken {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { layer: self.clone(), inner }
    }
}

impl<S> Layer<S> for RequireScope {
    type Service = Guarded<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { layer: *self, inner }
    }
}

/// What a layer asks of a request.
trait Guard: Clone + Send + 'static {
    /// Lets the request pass, perhaps with more in it.
    fn admit(self, request: Request) -> impl Future<Output = Result<Request, Response>> + Send;
}

impl Guard for RequireToken {
    async fn admit(self, mut request: Request) -> Result<Request, Response> {
        let Some(token) = only_token(request.headers()) else { return Err(unauthorized("Bearer")) };
        match self.0.verify(token).await {
            Ok(Ok(claims)) => {
                request.extensions_mut().insert(claims);
                Ok(request)
            }
            Ok(Err(rejection)) => {
                tracing::info!(reason = rejection.reason(), "unauthorized");
                Err(unauthorized("Bearer error=\"invalid_token\""))
            }
            Err(_) => Err((StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")]).into_response()),
        }
    }
}

impl Guard for RequireScope {
    async fn admit(self, request: Request) -> Result<Request, Response> {
        let has_it = request.extensions().get().is_some_and(|claims: &AccessClaims| claims.scope.contains(self.0));
        let challenge = [(WWW_AUTHENTICATE, "Bearer error=\"insufficient_scope\"")];
        if has_it { Ok(request) } else { Err((StatusCode::FORBIDDEN, challenge).into_response()) }
    }
}

impl<L, S> Service<Request> for Guarded<L, S>
where
    L: Guard,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that is ready is used, a fresh clone stays.
        let fresh = self.inner.clone();
        let (layer, mut inner) = (self.layer.clone(), std::mem::replace(&mut self.inner, fresh));
        Box::pin(async move {
            match layer.admit(request).await {
                Ok(request) => inner.call(request).await,
                Err(refusal) => Ok(refusal),
            }
        })
    }
}

/// One field `Authorization`, with one bearer token (RFC 6750 §2.1).
fn only_token(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let token = bearer::token(fields.next()?.to_str().ok()?)?;
    fields.next().is_none().then_some(token)
}

fn unauthorized(challenge: &'static str) -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
}
