//! What a client is told, and what it may be told.

use std::time::Duration;

use serde_json::Value;

use crate::outages::operation::Expected;

/// A function's answer to the gateway.
pub(crate) struct Answer {
    event: Value,
    pub(crate) body: Value,
}

impl Answer {
    /// # Errors
    ///
    /// What the gateway would not pass on.
    pub(crate) fn read(event: Value) -> Result<Self, String> {
        let text = event["body"].as_str().unwrap_or("null");
        let body = serde_json::from_str(text).map_err(|_| format!("not JSON: {event}"))?;
        Ok(Self { event, body })
    }

    pub(crate) fn status(&self) -> u64 {
        self.event["statusCode"].as_u64().unwrap_or_default()
    }

    pub(crate) fn refresh_token(&self) -> Option<&str> {
        self.body["refresh_token"].as_str()
    }

    pub(crate) fn is(&self, expected: Expected) -> bool {
        match expected {
            Expected::Tokens => {
                self.status() == 200 && self.body["access_token"].is_string() && self.refresh_token().is_some()
            }
            Expected::AccessToken => {
                self.status() == 200 && self.body["access_token"].is_string() && self.refresh_token().is_none()
            }
            Expected::Sessions => self.status() == 200 && self.body["sessions"].is_array(),
            Expected::NoContent => self.status() == 204 && self.body.is_null(),
            Expected::Done => self.status() == 200 && self.body.is_null(),
            Expected::Active => self.status() == 200 && self.body["active"] == true,
            Expected::Refused => self.status() == 400 && self.body["error"] == "invalid_grant",
        }
    }

    /// Whether it is a fault of ours as clients take it: come back, nothing is decided. It brings no OAuth code, which they
    /// take as the end of the session, and no token.
    pub(crate) fn is_unavailable(&self) -> bool {
        let fields =
            [("retry-after", "2"), ("cache-control", "no-store"), ("content-type", "application/problem+json")];
        self.status() == 503
            && fields.iter().all(|(name, value)| self.event["multiValueHeaders"][name] == serde_json::json!([value]))
            && self.body["status"] == 503
            && self.body.get("error").is_none()
            && !self.told().contains("csr_")
            && !self.told().contains("token")
    }

    /// How long the client is asked to wait, if that is all it is told.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let seconds = self.event["multiValueHeaders"]["retry-after"][0].as_str()?.parse().ok()?;
        (self.status() == 429).then_some(Duration::from_secs(seconds))
    }

    /// All of it, as text.
    pub(crate) fn told(&self) -> String {
        self.event.to_string()
    }
}
