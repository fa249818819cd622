//! What API Gateway asks: the event of a REST API's TOKEN authorizer.

use serde_json::Value;

/// A question of the gateway: may this token make this request?
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TokenRequest<'a> {
    /// The `Authorization` header field, or whatever field the gateway was told to take.
    pub(crate) authorization: &'a str,
    pub(crate) arn: MethodArn<'a>,
}

/// `arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MethodArn<'a> {
    /// All up to the stage, without a slash at the end.
    pub(crate) stage: &'a str,
    pub(crate) method: &'a str,
    /// With its leading slash.
    pub(crate) path: &'a str,
}

impl<'a> TokenRequest<'a> {
    /// Reads an event; `None` for every event of another kind.
    pub(crate) fn read(event: &'a Value) -> Option<Self> {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        if text("type") != Some("TOKEN") {
            return None;
        }
        Some(Self { authorization: text("authorizationToken")?, arn: MethodArn::parse(text("methodArn")?)? })
    }
}

impl<'a> MethodArn<'a> {
    fn parse(arn: &'a str) -> Option<Self> {
        let mut fields = arn.splitn(6, ':');
        let head = [fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?];
        let [_, partition, _, region, account] = head;
        if head[0] != "arn" || head[2] != "execute-api" || [partition, region, account].iter().any(|it| it.is_empty()) {
            return None;
        }
        let resource = fields.next()?;
        let (api, rest) = resource.split_once('/')?;
        let (stage, rest) = rest.split_once('/')?;
        let (method, _) = rest.split_once('/')?;
        if [api, stage, method].iter().any(|it| it.is_empty() || it.contains(['*', '?'])) {
            return None;
        }
        let (stage, _) = arn.split_at_checked(arn.len().checked_sub(rest.len() + 1)?)?;
        let (_, path) = rest.split_at_checked(method.len())?;
        Some(Self { stage, method, path })
    }
}

/// The one token of an `Authorization` header field: the scheme `Bearer` in any case, one space, one token of the
/// characters of RFC 6750 §2.1. Lists, parameters and other white space are refused.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let well_formed = scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty() && token.bytes().all(is_token);
    well_formed.then_some(token)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arns_are_read_by_their_fields() {
        let stage = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod";
        for (path, method) in [("/", "GET"), ("/me", "GET"), ("/a:b/c/", "POST"), ("/*/?", "DELETE")] {
            let arn = format!("{stage}/{method}{path}");
            assert_eq!(MethodArn::parse(&arn), Some(MethodArn { stage, method, path }), "{arn}");
        }
        let other = "arn:aws-cn:execute-api:cn-north-1:1:a/$default/GET/x";
        assert_eq!(
            MethodArn::parse(other).map(|arn| arn.stage),
            Some("arn:aws-cn:execute-api:cn-north-1:1:a/$default")
        );
    }

    #[test]
    fn other_texts_are_no_arns() {
        for bad in [
            "",
            "*",
            "arn:aws:execute-api:r:1:api",
            "arn:aws:execute-api:r:1:api/stage",
            "arn:aws:execute-api:r:1:api/stage/GET",
            "arn:aws:lambda:r:1:api/stage/GET/x",
            "urn:aws:execute-api:r:1:api/stage/GET/x",
            "arn::execute-api:r:1:api/s/GET/x",
            "arn:aws:execute-api:r:1:/stage/GET/x",
            "arn:aws:execute-api:r:1:api//GET/x",
            "arn:aws:execute-api:r:1:*/*/GET/x",
        ] {
            assert_eq!(MethodArn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_token_with_one_scheme() {
        for good in ["Bearer abc", "bearer abc", "BEARER abc"] {
            assert_eq!(bearer(good), Some("abc"), "{good}");
        }
        for bad in [
            "",
            "abc",
            "Bearer",
            "Bearer ",
            "Bearer  abc",
            " Bearer abc",
            "Bearer abc ",
            "Bearer\tabc",
            "Bearer a,b",
            "Bearer abc, Bearer def",
            "Bearer abc def",
            "Basic abc",
            "Bearer abc;x=1",
            "Bearer \"abc\"",
            "Bearer é",
        ] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_token_events_are_read() {
        let arn = "arn:aws:execute-api:r:1:api/stage/GET/x";
        assert!(TokenRequest::read(&json!({"type": "TOKEN", "authorizationToken": "t", "methodArn": arn})).is_some());
        for event in [
            json!(null),
            json!([]),
            json!("TOKEN"),
            json!({}),
            json!({"type": "REQUEST", "methodArn": arn}),
            json!({"type": "TOKEN", "methodArn": arn}),
            json!({"type": "TOKEN", "authorizationToken": 1, "methodArn": arn}),
            json!({"type": "TOKEN", "authorizationToken": "t", "methodArn": null}),
        ] {
            assert_eq!(TokenRequest::read(&event), None, "{event}");
        }
    }
}
