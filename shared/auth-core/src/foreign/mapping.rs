//! From their claims to our words.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Claims;
use crate::jwt::Rejection;
use crate::scope::Scope;

/// Where a claim stands: a name, or the names on the way into objects.
///
/// A name is taken whole, dots and all: `https://api.example/roles` is one claim.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub(super) enum Place {
    Name(String),
    Path(Vec<String>),
}

impl Place {
    pub(super) fn is_one(&self) -> bool {
        match self {
            Self::Name(name) => !name.is_empty(),
            Self::Path(names) => !names.is_empty() && names.iter().all(|name| !name.is_empty()),
        }
    }

    /// What stands there.
    pub(super) fn find<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        match self {
            Self::Name(name) => claims.get(name),
            Self::Path(names) => {
                let (last, way) = names.split_last()?;
                let inner = way.iter().try_fold(claims, |object, name| object.get(name)?.as_object())?;
                inner.get(last)
            }
        }
    }
}

/// What each of their words is in ours. What it does not name says nothing here.
#[derive(Debug)]
pub(super) struct Words(BTreeMap<String, Scope>);

impl Words {
    /// `None` if one of ours is none.
    pub(super) fn new(words: BTreeMap<String, String>) -> Option<Self> {
        let known = |(theirs, ours): (String, String)| Some((theirs, Scope::parse(&ours).ok()?));
        words.into_iter().map(known).collect::<Option<_>>().map(Self)
    }
}

/// What a claim with words says in ours; without `words`, what of it can be a word of ours. A word that cannot is left out and
/// never split: what nobody knows gives no right.
pub(super) fn translated<'a>(theirs: impl Iterator<Item = &'a str>, words: Option<&Words>) -> Scope {
    let ours = |word: &str| match words {
        Some(Words(words)) => words.get(word).cloned(),
        None => Scope::parse(word).ok().filter(|_| !word.contains(' ')),
    };
    theirs.filter_map(ours).collect()
}

/// The texts of a claim that is one, or a list of them.
pub(super) fn texts(value: &Value) -> Result<Vec<&str>, Rejection> {
    match value {
        Value::String(one) => Ok(vec![one]),
        Value::Array(several) => several.iter().map(|text| text.as_str().ok_or(Rejection::Claims)).collect(),
        _ => Err(Rejection::Claims),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_whole_and_a_list_is_a_way() {
        let claims = json!({
            "scp": "a",
            "https://x.example/roles": ["b"],
            "realm_access": {"roles": ["c"], "": 1},
            "realm_access.roles": ["d"],
        });
        let claims = claims.as_object().unwrap();
        let cases = [
            (json!("scp"), json!("a")),
            (json!("https://x.example/roles"), json!(["b"])),
            (json!("realm_access.roles"), json!(["d"])),
            (json!(["realm_access", "roles"]), json!(["c"])),
            (json!(["scp"]), json!("a")),
            (json!(["scp", "roles"]), Value::Null),
            (json!(["realm_access", "none"]), Value::Null),
            (json!(["none", "roles"]), Value::Null),
            (json!("roles"), Value::Null),
        ];
        for (place, expected) in cases {
            let found = serde_json::from_value::<Place>(place.clone()).unwrap();
            assert!(found.is_one(), "{place}");
            assert_eq!(found.find(claims).cloned().unwrap_or_default(), expected, "{place}");
        }
        for none in [json!(""), json!([]), json!(["a", ""])] {
            assert!(!serde_json::from_value::<Place>(none.clone()).unwrap().is_one(), "{none}");
        }
    }

    #[test]
    fn words_are_translated_or_left_out() {
        let words = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(theirs, ours)| ((*theirs).to_owned(), (*ours).to_owned()));
            Words::new(pairs.collect())
        };
        let map = words(&[("Domain Admins", "admin"), ("all", "read write"), ("out", "")]).unwrap();
        let cases: [(&str, &[&str], &str, &str); 6] = [
            ("none", &[], "", ""),
            ("words of ours", &["read", "x:y", "read"], "read x:y", ""),
            ("with a space: never two", &["read write", "c"], "c", ""),
            ("no words of ours", &["é", "", "a\"b"], "", ""),
            ("several of ours for one", &["all", "read"], "read", "read write"),
            ("named", &["Domain Admins", "out", "x"], "out x", "admin"),
        ];
        for (name, theirs, without, _) in cases {
            let expected = if name == "several of ours for one" { "all read" } else { without };
            assert_eq!(translated(theirs.iter().copied(), None).as_str(), expected, "{name}");
        }
        for (name, theirs, _, with) in cases {
            assert_eq!(translated(theirs.iter().copied(), Some(&map)).as_str(), with, "{name}");
        }
        assert!(words(&[("a", "two  spaces")]).is_none() && words(&[("a", "é")]).is_none());
    }
}
