//! A document of HTML in which every text is escaped, and the headers that all answers of the page have. It knows no record.

use std::fmt::{self, Write};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// A text as it stands in HTML, also inside of a quoted attribute.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// An answer with what all of the page have: nothing is kept, framed, guessed or loaded from elsewhere.
pub(super) fn sealed(mut answer: HttpResponseBuilder) -> HttpResponseBuilder {
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // With none at all, a form's `Origin` would be `null`.
        .insert_header((REFERRER_POLICY, "same-origin"));
    answer
}

/// A whole document around a body of HTML.
pub(super) fn document(base: &str, status: StatusCode, title: &str, body: &str) -> HttpResponse {
    let (home, title) = (encoded(base), Text(title));
    sealed(HttpResponse::build(status))
        .content_type("text/html; charset=utf-8")
        .body(format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<link rel=\"stylesheet\" href=\"{home}/style.css\">\n</head>\n<body>\n\
             <header><a href=\"{home}/\">Unknown outcomes</a></header>\n<main>\n<h1>{title}</h1>\n{body}</main>\n\
             </body>\n</html>\n"
        ))
}

/// The path that the page is served under, of a request to one of its parts.
pub(super) fn base_of(request: &HttpRequest, part: &str) -> String {
    let path = request.path();
    let base = match part {
        "" => path.strip_suffix('/'),
        part => path.rfind(part).map(|at| &path[..at]),
    };
    base.unwrap_or(path).to_owned()
}

/// A path of this site as it may stand in a header or an attribute. Two slashes in front would name another host.
pub(super) fn encoded(path: &str) -> String {
    let mut encoded = String::from("/");
    for byte in path.trim_start_matches('/').bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~/%?=:".contains(&byte);
        match is_plain {
            true => encoded.push(char::from(byte)),
            false => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    match path.is_empty() {
        true => String::new(),
        false => encoded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_place() {
        let text = Text("<a href=\"x\" id='y'>&amp;").to_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;");
    }

    #[test]
    fn a_path_names_no_other_host_and_ends_no_attribute() {
        assert_eq!(
            encoded("//evil.example/\"\r\n<"),
            "/evil.example/%22%0D%0A%3C"
        );
        assert_eq!(encoded("/ops/records/1?done=x"), "/ops/records/1?done=x");
        assert_eq!(encoded(""), "");
    }
}
