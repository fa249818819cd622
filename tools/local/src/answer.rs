//! An authorizer's answer, evaluated as IAM evaluates identity-based policies: an explicit Deny wins, and what no Allow
//! covers is denied.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The answer of a Lambda authorizer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An IAM policy.
    Policy(PolicyAnswer),
    /// What an HTTP API with `EnableSimpleResponses` expects.
    Simple(SimpleAnswer),
}

/// An IAM policy, and who it is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAnswer {
    principal_id: String,
    policy_document: Document,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

/// Yes or no.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SimpleAnswer {
    is_authorized: bool,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    statement: OneOrMany<Statement>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: Effect,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// What an answer says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be made.
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

impl Answer {
    /// Reads an answer of the form that the gateway was told to expect; every other is a configuration error.
    pub fn parse(answer: Value, simple: bool) -> Option<Self> {
        if simple {
            return serde_json::from_value(answer).ok().map(Self::Simple);
        }
        let answer: PolicyAnswer = serde_json::from_value(answer).ok()?;
        (!answer.principal_id.is_empty()).then_some(Self::Policy(answer))
    }

    /// What it says of the request with this ARN. A simple answer says the same of all.
    pub fn verdict(&self, arn: &str) -> Verdict {
        match self {
            Self::Policy(answer) => answer.policy_document.verdict(arn),
            Self::Simple(SimpleAnswer { is_authorized: true, .. }) => Verdict::Allowed,
            Self::Simple(SimpleAnswer { is_authorized: false, .. }) => Verdict::NotAllowed,
        }
    }

    /// What a REST or WebSocket API hands on: `principalId` and the context, every value a string. `None` if one is an
    /// array or an object, which is a configuration error there.
    pub fn stringified(&self) -> Option<Map<String, Value>> {
        let values = self.as_it_is().into_iter().filter(|(_, value)| !value.is_null());
        let text = |value| match value {
            Value::String(text) => Some(text),
            Value::Array(_) | Value::Object(_) => None,
            other => Some(other.to_string()),
        };
        values.map(|(name, value)| Some((name, text(value)?.into()))).collect()
    }

    /// What an HTTP API hands on: `principalId`, if there is one, and the context.
    pub fn as_it_is(&self) -> Map<String, Value> {
        let (principal_id, context) = match self {
            Self::Policy(answer) => (Some(answer.principal_id.clone()), &answer.context),
            Self::Simple(answer) => (None, &answer.context),
        };
        let principal_id = principal_id.map(|id| ("principalId".to_owned(), id.into()));
        principal_id.into_iter().chain(context.clone().unwrap_or_default()).collect()
    }
}

impl Document {
    fn verdict(&self, arn: &str) -> Verdict {
        let statements = self.statement.as_slice();
        let says = |effect| statements.iter().any(|statement| statement.effect == effect && statement.covers(arn));
        match (says(Effect::Deny), says(Effect::Allow)) {
            (true, _) => Verdict::Denied,
            (false, true) => Verdict::Allowed,
            (false, false) => Verdict::NotAllowed,
        }
    }
}

impl Statement {
    fn covers(&self, arn: &str) -> bool {
        let action =
            self.action.as_slice().iter().any(|pattern| matches(&pattern.to_lowercase(), "execute-api:invoke"));
        action && self.resource.as_slice().iter().any(|pattern| matches(pattern, arn))
    }
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// IAM's wildcards: `*` is any run of characters, `?` is any one.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = pattern.trim_start_matches('*');
            rest.is_empty() || text.char_indices().any(|(at, _)| matches(rest, text.split_at(at).1))
        }
        Some(expected) => {
            let mut characters = text.chars();
            let fits = characters.next().is_some_and(|actual| expected == '?' || expected == actual);
            fits && matches(pattern.split_at(expected.len_utf8()).1, characters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(statements: &Value, arn: &str) -> Verdict {
        let answer = json!({"principalId": "u", "policyDocument": {"Version": "2012-10-17", "Statement": statements}});
        Answer::parse(answer, false).unwrap().verdict(arn)
    }

    #[test]
    fn deny_wins_and_silence_denies() {
        let allow = |resource: &str| json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource});
        let deny = |resource: &str| json!({"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": [resource]});
        let cases = [
            ("an allow", json!([allow("a/*")]), Verdict::Allowed),
            ("a single statement", allow("a/*"), Verdict::Allowed),
            ("an allow of something else", json!([allow("b/*")]), Verdict::NotAllowed),
            ("none", json!([]), Verdict::NotAllowed),
            ("a deny after", json!([allow("a/*"), deny("a/GET/x")]), Verdict::Denied),
            ("a deny before", json!([deny("a/GET/*"), allow("a/GET/x")]), Verdict::Denied),
            ("a deny of something else", json!([allow("a/*"), deny("a/POST/x")]), Verdict::Allowed),
            ("another action", json!([{"Effect": "Allow", "Action": "s3:Get", "Resource": "*"}]), Verdict::NotAllowed),
            (
                "any action",
                json!([{"Effect": "Allow", "Action": ["execute-api:*"], "Resource": "*"}]),
                Verdict::Allowed,
            ),
        ];
        for (name, statements, expected) in cases {
            assert_eq!(verdict(&statements, "a/GET/x"), expected, "{name}");
        }
    }

    #[test]
    fn wildcards_cross_slashes() {
        let cases = [
            ("*", "", true),
            ("*", "a/b", true),
            ("a*c", "a/b/c", true),
            ("a*c", "a/b/d", false),
            ("?", "a", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a", "A", false),
            ("**b", "ab", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    fn with_context(context: &Value) -> Answer {
        let answer = json!({"principalId": "u", "policyDocument": {"Statement": []}, "context": context});
        Answer::parse(answer, false).unwrap()
    }

    /// The output of a REST API's authorizer: no value of the context is an object or an array, and all arrive as strings.
    #[test]
    fn a_rest_api_hands_on_strings() {
        let answer = with_context(&json!({"n": 7, "b": true, "s": "x", "z": null}));
        let expected = json!({"principalId": "u", "n": "7", "b": "true", "s": "x"});
        assert_eq!(answer.stringified().map(Value::Object), Some(expected));
        assert_eq!(with_context(&json!({"a": []})).stringified(), None);
        assert_eq!(with_context(&json!({"a": {"b": 1}})).stringified(), None);
    }

    /// The context of an HTTP API's authorizer may hold arrays and maps (payload format 2.0).
    #[test]
    fn an_http_api_hands_on_json() {
        let answer = with_context(&json!({"n": 7, "a": [1]}));
        assert_eq!(Value::Object(answer.as_it_is()), json!({"principalId": "u", "n": 7, "a": [1]}));
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        let policy = json!({"principalId": "u", "policyDocument": {"Statement": []}});
        let nameless = json!({"principalId": "", "policyDocument": {"Statement": []}});
        let simple = json!({"isAuthorized": true});
        assert!(Answer::parse(policy.clone(), false).is_some() && Answer::parse(policy, true).is_none());
        assert!(Answer::parse(simple.clone(), true).is_some() && Answer::parse(simple, false).is_none());
        assert!(Answer::parse(nameless, false).is_none());
        for odd in [json!(null), json!("Unauthorized"), json!({"isAuthorized": "true"}), json!([])] {
            assert!(Answer::parse(odd.clone(), true).is_none() && Answer::parse(odd.clone(), false).is_none(), "{odd}");
        }
    }
}
