//! The path by which operations are told apart. It does not know what they are.

use std::borrow::Cow;

use actix_web::HttpRequest;

/// The path as the router decodes it: two spellings of one path are one operation. Where that loses octets which are no
/// text, it is the path as it came, since other octets may be another resource.
pub(crate) fn path_of(request: &HttpRequest) -> &str {
    let decoded = request.match_info().as_str();
    // Most paths are ASCII, which is seen sooner.
    match !decoded.is_ascii() && decoded.contains(char::REPLACEMENT_CHARACTER) {
        true => request.uri().path(),
        false => decoded,
    }
}

/// The path with the hexadecimal digits of what is still encoded in upper case (RFC 3986, section 6.2.2.1).
pub(super) fn spelled(path: &str) -> Cow<'_, str> {
    let is_lower = |digit: &u8| matches!(digit, b'a'..=b'f');
    let octets = path.as_bytes();
    let is_other = |at: usize| {
        let digits = octets.get(at + 1..at + 3);
        let is_code = |digits: &&[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        octets[at] == b'%'
            && digits
                .filter(is_code)
                .is_some_and(|it| it.iter().any(is_lower))
    };
    if !octets.contains(&b'%') || !(0..octets.len()).any(is_other) {
        return Cow::Borrowed(path);
    }
    let mut spelled = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let end = rest.len().min(at + 3);
        let (code, is_code) = match rest.get(at + 1..end) {
            Some(code) => (
                code,
                code.len() == 2 && code.bytes().all(|it| it.is_ascii_hexdigit()),
            ),
            None => ("", false),
        };
        spelled.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if is_code {
            spelled.push_str(&code.to_ascii_uppercase());
            rest = &rest[2..];
        }
    }
    spelled.push_str(rest);
    Cow::Owned(spelled)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn what_is_still_encoded_is_spelled_in_one_way() {
        for (path, one) in [
            ("/a%2fb", "/a%2Fb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/%25%2b%", "/%25%2B%"),
            ("/50%é%2f%zz%a", "/50%é%2F%zz%a"),
            ("/%%2f", "/%%2F"),
        ] {
            assert_eq!(spelled(path), one);
        }
    }

    #[test]
    fn octets_that_are_no_text_are_told_apart() {
        let path = |uri: &str| {
            let request = TestRequest::with_uri(uri).to_http_request();
            path_of(&request).to_owned()
        };
        assert_eq!(path("/x"), "/x");
        assert_eq!(path("/%78"), "/x");
        assert_ne!(path("/%FF"), path("/%FE"));
    }
}
