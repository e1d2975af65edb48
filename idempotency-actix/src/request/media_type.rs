//! The media type of a request's body, in a form that equal ones share.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use mediatype::{MediaType, Value};

/// The media type; `None` where there is none, or what there is cannot be read as one.
pub(crate) fn media_type(request: &HttpRequest) -> Option<MediaType<'_>> {
    let mut lines = request.headers().get_all(CONTENT_TYPE);
    match (lines.next(), lines.next()) {
        (Some(line), None) => MediaType::parse(line.to_str().ok()?).ok(),
        _ => None,
    }
}

/// The form of a type of JSON: without `charset=utf-8`, which is what JSON is in anyhow.
#[cfg(feature = "json")]
pub(crate) fn json_type(media: &MediaType<'_>) -> Option<String> {
    let names = [Some(media.subty), media.suffix].into_iter().flatten();
    let is_json = names.into_iter().any(|name| name == "json");
    let is_its_own = |name: &str, value: &str| name == "charset" && value == "utf-8";
    is_json.then(|| form(media, is_its_own))
}

/// The boundary of a `multipart` type, and the form of the type without it.
#[cfg(feature = "multipart")]
pub(crate) fn multipart_type(media: &MediaType<'_>) -> Option<(String, String)> {
    let is_boundary = |name: &str| name.eq_ignore_ascii_case("boundary");
    let mut boundaries = (media.params.iter()).filter(|(name, _)| is_boundary(name.as_str()));
    match (boundaries.next(), boundaries.next()) {
        (Some((_, boundary)), None) if media.ty == "multipart" => {
            let boundary = boundary.unquoted_str().into_owned();
            Some((boundary, form(media, |name, _| name == "boundary")))
        }
        _ => None,
    }
}

/// Type and subtype in lower case, and the parameters that count, in order of their names.
fn form(media: &MediaType<'_>, is_left_out: impl Fn(&str, &str) -> bool) -> String {
    let value_of = |name: &str, value: Value<'_>| match name {
        "charset" => value.unquoted_str().to_ascii_lowercase(),
        _ => value.unquoted_str().into_owned(),
    };
    let mut parameters: Vec<(String, String)> = (media.params.iter())
        .map(|(name, value)| {
            let name = name.as_str().to_ascii_lowercase();
            let value = value_of(&name, *value);
            (name, value)
        })
        .filter(|(name, value)| !is_left_out(name, value))
        .collect();
    parameters.sort();
    let mut form = media.essence().to_string().to_ascii_lowercase();
    for (name, value) in parameters {
        // As `Debug` quotes it, no value imitates another parameter.
        form += &format!("; {name}={value:?}");
    }
    form
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn json(line: &str) -> Option<String> {
        let request = TestRequest::post().insert_header((CONTENT_TYPE, line));
        json_type(&media_type(&request.to_http_request())?)
    }

    #[test]
    fn spellings_of_one_type_share_a_form() {
        for line in [
            "application/json",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "Application/JSON ; charset=\"UTF-8\"",
            "application/json\t;\tCharSet=\"utf-8\";",
        ] {
            assert_eq!(json(line).as_deref(), Some("application/json"), "{line}");
        }
        let [one, other] = ["a=1; b=2", "B=\"2\";a=1"].map(|tail| {
            let line = format!("application/vnd.api+JSON; {tail}");
            json(&line).expect("JSON")
        });
        assert_eq!(one, other);
    }

    #[test]
    fn other_types_and_parameters_are_told_apart() {
        let lines = [
            "application/json",
            "text/json",
            "application/problem+json",
            "application/json; charset=utf-16",
            "application/json; profile=a",
            "application/json; profile=A",
            "application/json; profile=a; v=1",
            "application/json; profile=\"a; v=1\"",
            "application/json; profile=\"a\\\"; v=\\\"1\"",
        ];
        for (i, line) in lines.iter().enumerate() {
            assert!(json(line).is_some(), "{line}");
            for other in &lines[i + 1..] {
                assert_ne!(json(line), json(other), "{line} {other}");
            }
        }
    }

    #[test]
    fn what_is_no_json_has_no_form() {
        for line in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "json",
            "",
        ] {
            assert_eq!(json(line), None, "{line}");
        }
    }
}
