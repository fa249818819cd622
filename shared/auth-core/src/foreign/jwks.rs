//! The keys of another issuer: whatever stands beside those that can be used does not matter.

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use serde_json::Value;

use crate::jwt::MAX_ID_LENGTH;
use crate::key::VerifyingKey;
use crate::strict_json;

/// More keys than any issuer has; whoever sends more wants us to be busy.
const MOST_KEYS: usize = 100;

/// Why a set cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not a JWK Set (RFC 7517 §5).
    #[error("not a JWK Set")]
    NoSet,
    /// More than 100 keys.
    #[error("more than {MOST_KEYS} keys")]
    TooMany,
    /// No key of the algorithms that are wanted, with a `kid` that no other one has.
    #[error("no key that can be used")]
    NoneUsable,
}

/// The keys for these algorithms. A `kid` that two of them have is no name of either.
pub(super) fn usable(jwks: &[u8], algorithms: &[Algorithm]) -> Result<Vec<VerifyingKey>, JwksError> {
    let mut set = strict_json::object(jwks).ok_or(JwksError::NoSet)?;
    let Some(Value::Array(members)) = set.remove("keys") else { return Err(JwksError::NoSet) };
    if members.len() > MOST_KEYS {
        return Err(JwksError::TooMany);
    }
    let jwks = members.into_iter().filter_map(|member| serde_json::from_value::<Jwk>(member).ok());
    let mut keys: Vec<VerifyingKey> = jwks.filter_map(|jwk| VerifyingKey::of_another(&jwk, algorithms)).collect();
    let kids: Vec<String> = keys.iter().map(|key| key.kid().to_owned()).collect();
    let names = |kid: &str| kids.iter().filter(|other| *other == kid).count();
    keys.retain(|key| names(key.kid()) == 1 && key.kid().len() <= MAX_ID_LENGTH);
    if keys.is_empty() { Err(JwksError::NoneUsable) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_keys;

    const ALL: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

    fn member(algorithm: Algorithm, kid: &str) -> Value {
        let mut jwk = serde_json::to_value(test_keys::signing_key(algorithm).jwk()).unwrap();
        jwk["kid"] = kid.into();
        jwk
    }

    fn without(mut jwk: Value, names: &[&str]) -> Value {
        jwk.as_object_mut().unwrap().retain(|name, _| !names.contains(&name.as_str()));
        jwk
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    fn kids(keys: &Value, algorithms: &[Algorithm]) -> Result<Vec<(String, Algorithm)>, JwksError> {
        let set = json!({ "keys": keys }).to_string();
        let keys = usable(set.as_bytes(), algorithms)?;
        Ok(keys.iter().map(|key| (key.kid().to_owned(), key.algorithm())).collect())
    }

    #[test]
    fn what_cannot_be_used_is_left_out() {
        use Algorithm::{ES256, EdDSA, HS256, RS256};
        let good = [member(RS256, "rsa"), member(ES256, "ec"), member(EdDSA, "okp")];
        let expected = [("rsa", RS256), ("ec", ES256), ("okp", EdDSA)].map(|(kid, alg)| (kid.to_owned(), alg));
        assert_eq!(kids(&json!(good), &ALL).unwrap(), expected);
        let bare = good.clone().map(|jwk| without(jwk, &["alg", "use"]));
        assert_eq!(kids(&json!(bare), &ALL).unwrap(), expected, "the type says the algorithm");
        let odd = [
            ("shared", member(HS256, "x")),
            ("no kid", without(member(RS256, "x"), &["kid"])),
            ("an empty kid", member(RS256, "")),
            ("a long kid", member(RS256, &"x".repeat(257))),
            ("for encryption", with(member(RS256, "x"), "use", json!("enc"))),
            ("another algorithm", with(member(RS256, "x"), "alg", json!("RS512"))),
            ("an algorithm that nobody knows", with(member(RS256, "x"), "alg", json!("ML-DSA-44"))),
            ("a type that nobody knows", json!({"kty": "AKP", "kid": "x", "alg": "ML-DSA-44", "pub": "AA"})),
            ("RSA with e = 3", with(member(RS256, "x"), "e", json!("Aw"))),
            ("RSA of 1024 bits", with(member(RS256, "x"), "n", json!("_w".repeat(85) + "8"))),
            ("P-384", with(member(ES256, "x"), "crv", json!("P-384"))),
            ("a point that is none", with(member(ES256, "x"), "y", member(ES256, "x")["x"].clone())),
            ("a point of small order", with(member(EdDSA, "x"), "x", json!(format!("AQ{}", "A".repeat(41))))),
            ("no object", json!(1)),
            ("null", Value::Null),
        ];
        for (name, jwk) in odd {
            assert_eq!(kids(&json!([jwk]), &ALL), Err(JwksError::NoneUsable), "{name}");
            let [rsa, ec, okp] = &good;
            assert_eq!(kids(&json!([rsa, jwk, ec, okp]), &ALL).unwrap(), expected, "{name}, among good ones");
        }
        assert_eq!(kids(&json!(good), &[ES256]).unwrap().len(), 1, "only what is wanted");
    }

    #[test]
    fn a_kid_that_occurs_twice_is_used_for_none() {
        use Algorithm::{ES256, EdDSA, RS256};
        let two = [member(RS256, "a"), member(ES256, "a")];
        assert_eq!(kids(&json!(two), &ALL), Err(JwksError::NoneUsable));
        let same = [member(RS256, "a"), member(RS256, "a"), member(EdDSA, "b")];
        assert_eq!(kids(&json!(same), &ALL).unwrap(), [("b".to_owned(), EdDSA)], "also of one and the same key");
        assert_eq!(kids(&json!(two), &[ES256]).unwrap(), [("a".to_owned(), ES256)], "the other one is not used here");
        let enc = with(member(RS256, "a"), "use", json!("enc"));
        assert_eq!(kids(&json!([enc, two[0]]), &ALL).unwrap(), [("a".to_owned(), RS256)], "it checks nothing");
    }

    #[test]
    fn a_set_has_a_hundred_keys_at_most() {
        let keys = |count: usize| (0..count).map(|at| member(Algorithm::EdDSA, &at.to_string())).collect::<Value>();
        assert_eq!(kids(&keys(100), &ALL).unwrap().len(), 100);
        assert_eq!(kids(&keys(101), &ALL), Err(JwksError::TooMany));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let twice = format!(r#"{{"keys":[],"keys":[{}]}}"#, member(Algorithm::ES256, "a"));
        for text in ["", "null", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "<html></html>", &twice] {
            assert_eq!(usable(text.as_bytes(), &ALL).err(), Some(JwksError::NoSet), "{text}");
        }
        assert_eq!(usable(br#"{"keys":[]}"#, &ALL).err(), Some(JwksError::NoneUsable));
    }
}
