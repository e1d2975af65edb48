//! The canonical form of a JSON text, RFC 8785.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// The largest whole number that a double tells from its neighbours (RFC 7493, section 2.2).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The name under which `serde_json` hides a number, where some crate has enabled its feature
/// `arbitrary_precision` for all.
const HIDDEN_NUMBER: &str = "$serde_json::private::Number";

/// The canonical form. `None` for what is not I-JSON of RFC 7493, which the scheme is made for: two texts
/// that differ in a repeated name, or in a whole number beyond 2^53, must not have the same. Fractions
/// are doubles.
pub(crate) fn canonical(text: &[u8]) -> Option<Vec<u8>> {
    let json: Json = serde_json::from_slice(text).ok()?;
    serde_json_canonicalizer::to_vec(&json).ok()
}

/// A value of I-JSON. Not `serde_json`'s own, whose numbers depend on features that other crates enable.
enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

impl Json {
    fn number<E: de::Error>(value: f64) -> Result<Self, E> {
        // Whatever is larger and has no fraction may have been rounded.
        if value.abs() > MAX_SAFE_INTEGER as f64 {
            return Err(E::custom("a number beyond 2^53"));
        }
        Ok(Self::Number(value))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(entries) => serializer.collect_map(entries),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of I-JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json, E> {
        match value.unsigned_abs() {
            0..=MAX_SAFE_INTEGER => Json::number(value as f64),
            _ => Err(E::custom("a whole number beyond 2^53")),
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json, E> {
        match value {
            0..=MAX_SAFE_INTEGER => Json::number(value as f64),
            _ => Err(E::custom("a whole number beyond 2^53")),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json, E> {
        Json::number(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            if let (HIDDEN_NUMBER, Json::Text(number), true) = (&*name, &value, hides_numbers()) {
                let number = number.parse().map_err(de::Error::custom)?;
                return Json::number(number);
            }
            if map.insert(name, value).is_some() {
                return Err(de::Error::custom("a name is repeated"));
            }
        }
        Ok(Json::Map(map))
    }
}

/// Whether fractions come as maps of one hidden name.
fn hides_numbers() -> bool {
    struct IsMap;

    impl<'de> Visitor<'de> for IsMap {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }

        fn visit_f64<E: de::Error>(self, _: f64) -> Result<bool, E> {
            Ok(false)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<bool, A::Error> {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(true)
        }
    }

    static HIDES_NUMBERS: LazyLock<bool> = LazyLock::new(|| {
        let mut number = serde_json::Deserializer::from_slice(b"0.5");
        number.deserialize_any(IsMap).unwrap_or(false)
    });
    *HIDES_NUMBERS
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

    /// Whatever features of `serde_json` other crates enable.
    #[test]
    fn a_hidden_number_is_an_object_where_numbers_are_not_hidden() {
        let object = of(r#"{"$serde_json::private::Number":"0.5"}"#);
        assert_eq!(hides_numbers(), object == of("0.5"));
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
