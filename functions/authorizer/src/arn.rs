//! What a request is for, as API Gateway names it.

/// The methods of API Gateway.
pub const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The one route of a WebSocket API that is authorized.
pub const CONNECT: &str = "$connect";

/// The stage that a HTTP API has if it was given no other.
const DEFAULT_STAGE: &str = "$default";

/// `arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`, or `…/STAGE/$connect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MethodArn<'a> {
    /// All of it.
    pub(crate) text: &'a str,
    /// All up to the stage, without a slash at the end. Holds no wildcard.
    pub(crate) stage: &'a str,
    pub(crate) target: Target<'a>,
}

/// What stands behind the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A request over HTTP.
    Http {
        /// One of [`METHODS`].
        method: &'a str,
        /// With its leading slash, as the caller wrote it.
        path: &'a str,
    },
    /// The handshake of a WebSocket.
    Connect,
}

impl<'a> MethodArn<'a> {
    /// Reads an ARN by its fields; `None` for whatever is none.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut fields = text.splitn(6, ':');
        let mut field = || fields.next();
        let (scheme, partition, service, region, account) = (field()?, field()?, field()?, field()?, field()?);
        let mut parts = field()?.splitn(3, '/');
        let (api, stage, target) = (parts.next()?, parts.next()?, parts.next()?);
        let named = [partition, region, account, api].into_iter().all(is_name);
        if scheme != "arn" || service != "execute-api" || !named || !(is_name(stage) || stage == DEFAULT_STAGE) {
            return None;
        }
        let (stage, _) = text.split_at_checked(text.len().checked_sub(target.len() + 1)?)?;
        Some(Self { text, stage, target: Target::parse(target)? })
    }
}

impl<'a> Target<'a> {
    /// Reads `METHOD/PATH` or `$connect`.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text == CONNECT {
            return Some(Self::Connect);
        }
        let (method, path) = text.split_at_checked(text.find('/')?)?;
        METHODS.contains(&method).then_some(Self::Http { method, path })
    }
}

/// Letters, digits, `-` and `_`: nothing that means something else in a policy or a URL.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_read_by_their_fields() {
        for stage in [
            "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod",
            "arn:aws-cn:execute-api:cn-north-1:123456789012:a1b2c3/$default",
            "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:a1b2c3/test-invoke-stage",
        ] {
            for (path, method) in [("/", "GET"), ("/me", "GET"), ("/a:b//c/", "POST"), ("/*/?", "DELETE")] {
                let text = format!("{stage}/{method}{path}");
                let expected = MethodArn { text: &text, stage, target: Target::Http { method, path } };
                assert_eq!(MethodArn::parse(&text), Some(expected), "{text}");
            }
            let text = format!("{stage}/$connect");
            assert_eq!(MethodArn::parse(&text), Some(MethodArn { text: &text, stage, target: Target::Connect }));
        }
    }

    #[test]
    fn other_texts_are_no_arns() {
        for bad in [
            "",
            "*",
            "arn:aws:execute-api:r:1:api",
            "arn:aws:execute-api:r:1:api/stage",
            "arn:aws:execute-api:r:1:api/stage/",
            "arn:aws:execute-api:r:1:api/stage/GET",
            "arn:aws:execute-api:r:1:api/stage/$disconnect",
            "arn:aws:execute-api:r:1:api/stage/$connect/",
            "arn:aws:execute-api:r:1:api/stage/get/x",
            "arn:aws:execute-api:r:1:api/stage/*/x",
            "arn:aws:execute-api:r:1:api/stage//x",
            "arn:aws:lambda:r:1:api/stage/GET/x",
            "urn:aws:execute-api:r:1:api/stage/GET/x",
            "arn::execute-api:r:1:api/s/GET/x",
            "arn:aws:execute-api:r::api/s/GET/x",
            "arn:aws:execute-api:r:1:/stage/GET/x",
            "arn:aws:execute-api:r:1:api//GET/x",
            "arn:aws:execute-api:r:1:*/*/GET/x",
            "arn:aws:execute-api:r:1:api/s?/GET/x",
            "arn:aws:execute-api:r:1:api/$other/GET/x",
            "arn:aws:execute-api:r:1:api/${aws:username}/GET/x",
            "arn:aws:execute-api:r:1:äpi/stage/GET/x",
        ] {
            assert_eq!(MethodArn::parse(bad), None, "{bad}");
        }
    }
}
