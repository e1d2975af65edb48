//! The canonical form of a JSON text, RFC 8785.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The largest whole number that a double tells from its neighbours (RFC 7493, section 2.2).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The canonical form, `None` where two different texts could have the same: for what is not I-JSON of
/// RFC 7493, which the scheme is made for.
pub(crate) fn canonical(text: &[u8]) -> Option<Vec<u8>> {
    let Strict(value) = serde_json::from_slice(text).ok()?;
    serde_json_canonicalizer::to_vec(&value).ok()
}

/// A JSON value without repeated names, and without numbers that a double would round.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of I-JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        match value.unsigned_abs() {
            0..=MAX_SAFE_INTEGER => Ok(value.into()),
            _ => Err(E::custom("a whole number beyond 2^53")),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        match value {
            0..=MAX_SAFE_INTEGER => Ok(value.into()),
            _ => Err(E::custom("a whole number beyond 2^53")),
        }
    }

    /// Whatever large number has no fraction may have been rounded.
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.abs() > MAX_SAFE_INTEGER as f64 {
            return Err(E::custom("a number beyond 2^53"));
        }
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, _>()? {
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is repeated"));
            }
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        canonical(text.as_bytes()).map(|json| String::from_utf8(json).expect("UTF-8"))
    }

    #[test]
    fn order_space_and_the_form_of_numbers_do_not_count() {
        let one = of(r#"{"b": [1, 2.50, null], "a": "\u00e9"}"#);
        assert_eq!(one.as_deref(), Some(r#"{"a":"é","b":[1,2.5,null]}"#));
        assert_eq!(one, of("{\"a\":\"é\",\n\"b\":[1.0,25e-1,null]}"));
    }

    #[test]
    fn order_in_a_list_and_every_value_count() {
        let texts = ["[1,2]", "[2,1]", "[1,\"2\"]", "[1,2,null]", "{}", "[]"];
        let forms: Vec<_> = texts.iter().map(|text| of(text)).collect();
        for (i, form) in forms.iter().enumerate() {
            assert!(form.is_some() && !forms[i + 1..].contains(form), "{form:?}");
        }
    }

    #[test]
    fn what_two_texts_could_share_has_no_form() {
        for text in [
            r#"{"a":1,"a":2}"#,
            "9007199254740993",
            "-9007199254740993",
            "123456789012345678901234567890",
            "1e300",
            r#""\ud800""#,
            "{} {}",
            "{",
            "",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(of("9007199254740991").as_deref(), Some("9007199254740991"));
    }
}
