//! The host that a request names. It trusts no header that a proxy adds.

use actix_web::HttpRequest;
use actix_web::http::header::HOST;

/// Every host that the request names, as it came and each once: in its target, as HTTP/2 always does (`:authority`), and
/// in its `Host`. Routers differ in which of the two they go by, and in whether its case matters to them.
pub(crate) fn hosts(request: &HttpRequest) -> Vec<Vec<u8>> {
    let target = request.uri().authority();
    let target = target.map(|authority| authority.as_str().as_bytes());
    let lines = request.headers().get_all(HOST);
    let mut hosts: Vec<Vec<u8>> = Vec::new();
    for host in target.into_iter().chain(lines.map(|line| line.as_bytes())) {
        let host = host.trim_ascii().to_owned();
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// The one host that the request names, in lower case (RFC 9110, section 4.2.3); `None` if it names none, or several.
pub(crate) fn host(request: &HttpRequest) -> Option<Vec<u8>> {
    let mut hosts = hosts(request).into_iter();
    let host = hosts.next()?.to_ascii_lowercase();
    let is_one = hosts.all(|other| other.eq_ignore_ascii_case(&host));
    (is_one && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn named(uri: &str, lines: &[&str]) -> Option<String> {
        let request = TestRequest::post().uri(uri);
        let request = lines.iter().fold(request, |request, line| {
            request.append_header((HOST, *line))
        });
        host(&request.to_http_request()).map(|host| String::from_utf8(host).expect("UTF-8"))
    }

    #[test]
    fn target_and_header_name_one_host() {
        for (uri, lines) in [
            ("/x", &["A.test:80"][..]),
            ("http://a.test:80/x", &[]),
            ("http://a.TEST:80/x", &["a.test:80"]),
            ("/x", &["a.test:80", "A.test:80"]),
        ] {
            assert_eq!(named(uri, lines).as_deref(), Some("a.test:80"), "{uri}");
        }
    }

    #[test]
    fn no_host_and_two_hosts_are_none() {
        assert_eq!(named("/x", &[]), None);
        assert_eq!(named("/x", &["\t"]), None);
        assert_eq!(named("/x", &["a.test", "b.test"]), None);
        assert_eq!(named("http://a.test/x", &["b.test"]), None);
        assert_ne!(named("/x", &["a.test"]), named("/x", &["a.test:80"]));
    }
}
