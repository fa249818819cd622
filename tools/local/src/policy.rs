//! An authorizer's answer, evaluated as IAM evaluates identity-based policies: an explicit Deny wins, and what no Allow
//! covers is denied.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The answer of a Lambda authorizer to a REST API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    principal_id: String,
    policy_document: Document,
    #[serde(default)]
    context: Map<String, Value>,
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

/// What a policy says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

impl Answer {
    /// Evaluates the policy for one request.
    pub(crate) fn verdict(&self, arn: &str) -> Verdict {
        let says = |effect| self.statements().any(|statement| statement.effect == effect && statement.covers(arn));
        match (says(Effect::Deny), says(Effect::Allow)) {
            (true, _) => Verdict::Denied,
            (false, true) => Verdict::Allowed,
            (false, false) => Verdict::NotAllowed,
        }
    }

    /// What a REST API hands on: `principalId` and the context, every value a string. `None` if one is an array or an
    /// object, which is a configuration error there.
    pub(crate) fn context(&self) -> Option<Map<String, Value>> {
        let mut context = Map::from_iter([("principalId".to_owned(), self.principal_id.clone().into())]);
        for (name, value) in &self.context {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null => continue,
                Value::Array(_) | Value::Object(_) => return None,
            };
            context.insert(name.clone(), text.into());
        }
        Some(context)
    }

    fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.policy_document.statement.as_slice().iter()
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
        serde_json::from_value::<Answer>(answer).unwrap().verdict(arn)
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

    #[test]
    fn context_becomes_strings() {
        let answer = |context: Value| -> Answer {
            serde_json::from_value(json!({"principalId": "u", "policyDocument": {"Statement": []}, "context": context}))
                .unwrap()
        };
        let expected = json!({"principalId": "u", "n": "7", "b": "true", "s": "x"});
        assert_eq!(
            answer(json!({"n": 7, "b": true, "s": "x", "z": null})).context().map(Value::Object),
            Some(expected)
        );
        assert_eq!(answer(json!({"a": []})).context(), None);
    }
}
