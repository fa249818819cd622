//! What a client reads in an answer.

use auth_http::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::event::Verdict;

/// Reads an answer of the handler; `None` for one that it should not give.
pub(crate) fn read(response: &Response) -> Option<Verdict> {
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    match (response.status().as_u16(), text("error").as_deref()) {
        (200, None) => {
            let access = text("access_token")?;
            let payload = access.split('.').nth(1)?;
            let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
            let scope = claims.get("scope")?.as_str()?.to_owned();
            let [exp, ver] = ["exp", "ver"].map(|name| claims.get(name).and_then(Value::as_u64));
            Some(Verdict::Granted { token: text("refresh_token")?, exp: exp?, scope, ver: ver?, access })
        }
        (400, Some("invalid_grant")) => Some(Verdict::Refused),
        (400, Some("invalid_scope")) | (503, None) => Some(Verdict::Again),
        _ => None,
    }
}
