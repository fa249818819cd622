//! A service of one's own, beside the gateway or behind it, that checks access tokens by itself: with the issuer's verifier, the keys
//! that the issuer publishes, and no call of the issuer for a request.
//!
//! It knows nothing of revocations: a token lives for as long as it says. Where that is too long, countersign's authorizer stands before the
//! service, or the service asks `POST /oauth/introspect`.

pub mod layer;
pub mod tokens;

use std::sync::Arc;

use auth_core::claims::AccessClaims;
use axum::routing::get;
use axum::{Extension, Router};

use crate::layer::{RequireScope, RequireToken};
use crate::tokens::Tokens;

/// `GET /whoami` for every good token, `GET /notes` for those with the scope `notes`.
pub fn router(tokens: Arc<Tokens>) -> Router {
    Router::new()
        .route("/notes", get(async || "milk, bread").layer(RequireScope("notes")))
        .route("/whoami", get(async |Extension(claims): Extension<AccessClaims>| claims.sub))
        .layer(RequireToken(tokens))
}
