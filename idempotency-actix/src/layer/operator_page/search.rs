//! The record that an operator searches by key and caller. It asks no store.

use std::collections::HashMap;
use std::str::FromStr;

use actix_web::http::Method;

use crate::request::Caller;
use crate::store::RecordId;

/// The record's id, from the fields of the form or from the id itself.
pub(super) fn searched(fields: &HashMap<String, String>) -> Result<RecordId, &'static str> {
    let field = |name: &str| fields.get(name).map_or("", |text| text.trim());
    if !field("id").is_empty() {
        return field("id")
            .parse()
            .map_err(|_| "A record's id is 64 hexadecimal digits in lower case.");
    }
    let method = Method::from_bytes(field("method").as_bytes());
    let method = method.map_err(|_| "Say which method the request had.")?;
    let (path, key) = (field("path"), field("key"));
    if !path.starts_with('/') {
        return Err("A path begins with a slash.");
    }
    if key.is_empty() {
        return Err("Say which key the request had.");
    }
    let caller = caller(field("scope"), field("caller"))?;
    let caller = match field("host") {
        "" => caller,
        host => caller.at_host(host),
    };
    Ok(RecordId::of(&caller, &method, path, key))
}

/// How callers are told apart, as the form has it and in words.
pub(super) const SCOPES: [(&str, &str); 9] = [
    ("principal", "a text"),
    ("u64", "a number (u64, usize)"),
    ("i64", "a number (i64, isize)"),
    ("u32", "a number (u32)"),
    ("i32", "a number (i32)"),
    ("u128", "a number (u128)"),
    ("octets", "a UUID, or octets in hexadecimal"),
    ("header", "a header"),
    ("everyone", "nothing"),
];

fn caller(scope: &str, told: &str) -> Result<Caller, &'static str> {
    fn number<T: FromStr>(told: &str) -> Result<T, &'static str> {
        told.parse()
            .map_err(|_| "The caller is no number of that width.")
    }
    Ok(match (scope, told) {
        ("everyone", _) => Caller::everyone(),
        (_, "") => return Err("Say whose key it was."),
        ("principal", text) => Caller::principal(text),
        ("u64", told) => Caller::principal(number::<u64>(told)?),
        ("i64", told) => Caller::principal(number::<i64>(told)?),
        ("u32", told) => Caller::principal(number::<u32>(told)?),
        ("i32", told) => Caller::principal(number::<i32>(told)?),
        ("u128", told) => Caller::principal(number::<u128>(told)?),
        ("octets", told) => Caller::principal(octets(told)?),
        ("header", value) => Caller::header(value),
        _ => return Err("Say how callers are told apart."),
    })
}

/// Octets from their hexadecimal digits, with or without the hyphens of a UUID.
fn octets(text: &str) -> Result<Vec<u8>, &'static str> {
    let digits: Vec<_> = text
        .chars()
        .filter(|&it| it != '-')
        .map(|it| it.to_digit(16))
        .collect();
    let pairs = digits.chunks(2).map(|pair| match *pair {
        [Some(high), Some(low)] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    });
    let octets: Option<Vec<u8>> = pairs.collect();
    octets.ok_or("The caller is not in hexadecimal.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_told_as_scopes_tell_them() {
        let id = "00112233-4455-6677-8899-aabbccddeeff";
        let uuid: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        for (scope, told, is) in [
            ("principal", "7", Caller::principal("7")),
            ("u64", "7", Caller::principal(7_u64)),
            ("u64", "7", Caller::principal(7_usize)),
            ("i64", "-7", Caller::principal(-7_i64)),
            ("u32", "7", Caller::principal(7_u32)),
            ("i32", "-7", Caller::principal(-7_i32)),
            ("u128", "7", Caller::principal(7_u128)),
            ("octets", id, Caller::principal(uuid.to_be_bytes())),
            ("octets", "0A0b", Caller::principal([10, 11])),
            ("header", "7", Caller::header("7")),
            ("everyone", "", Caller::everyone()),
        ] {
            assert_eq!(caller(scope, told), Ok(is), "{scope} {told}");
        }
        let wrong = [
            ("u32", "-7"),
            ("u64", "seven"),
            ("octets", "0"),
            ("octets", "0g"),
            ("u8", "7"),
            ("u64", ""),
        ];
        for (scope, told) in wrong {
            assert!(caller(scope, told).is_err(), "{scope} {told}");
        }
        for (scope, _) in SCOPES {
            assert_ne!(
                caller(scope, "7"),
                Err("Say how callers are told apart."),
                "{scope}"
            );
        }
    }
}
