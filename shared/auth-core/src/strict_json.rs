//! JSON in which no name stands twice, at any depth: RFC 8259 §4 leaves open which of them counts, and so do parsers.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one JSON object. All of it is UTF-8.
pub(crate) fn object(json: &[u8]) -> Option<Map<String, Value>> {
    match value(str::from_utf8(json).ok()?).ok()? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Reads one JSON text.
pub(crate) fn value(json: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(json).map(|Strict(value)| value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = items.next_entry::<String, Strict>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice in one object"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_strict_is_read_as_it_is() {
        let text = r#"{"a":[1,-2,3.5,1e3,"x\u00e9",true,false,null,{"a":{"a":[]}}],"b":{}}"#;
        let expected = serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(text).unwrap(), expected);
        assert_eq!(object(text.as_bytes()), expected.as_object().cloned());
    }

    #[test]
    fn a_name_stands_once_in_each_object() {
        let cases = [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1},{"b":1,"b":2}]}"#,
            r#"{"":1,"":2}"#,
        ];
        for text in cases {
            assert!(value(text).is_err(), "{text}");
        }
        assert!(value(r#"{"a":{"a":1},"A":{"a":1}}"#).is_ok());
    }

    #[test]
    fn what_is_no_object_is_none() {
        let deep = "[".repeat(100_000);
        let cases: [&[u8]; 8] =
            [b"", b"null", b"[]", b"\"{}\"", b"{} {}", b"{\"a\":\"\xff\"}", b"\xef\xbb\xbf{}", deep.as_bytes()];
        for text in cases {
            assert_eq!(object(text), None, "{:.20}", String::from_utf8_lossy(text));
        }
    }
}
