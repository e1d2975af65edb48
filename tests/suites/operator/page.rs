//! The page for operators, as a browser's requests are answered.

use actix_web::http::Method;
use idempotency_actix::store::Description;
use idempotency_actix_tests::app::{Call, DOWN};
use idempotency_actix_tests::{Request, Response, assert_problem, assert_replay, log};

use crate::desk::Desk;

/// A form, sent from the page itself.
fn form(path: &str, fields: &str) -> Request {
    foreign_form(path, fields).header("sec-fetch-site", "same-origin")
}

fn foreign_form(path: &str, fields: &str) -> Request {
    Request::post(&format!("/ops{path}"))
        .header("x-operator", "yes")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(fields)
}

/// Follows what an operator clicks, up to the form of one of the buttons, and gives the attempt in it.
fn attempt(desk: &Desk, key: &str, action: &str) -> String {
    let id = Desk::id(key);
    let record = desk.page(&format!("/records/{id}")).text();
    let link = format!("href=\"/ops/records/{id}/{action}?attempt=");
    let (_, rest) = record.split_once(&link).expect("a button");
    let (attempt, _) = rest.split_once('"').expect("the end of the link");
    let path = format!("/records/{id}/{action}?attempt={attempt}");
    let confirmation = desk.page(&path).text();
    assert!(confirmation.contains(&format!("value=\"{attempt}\"")));
    attempt.to_owned()
}

fn decide(desk: &Desk, key: &str, action: &str, more: &str) -> Response {
    let attempt = attempt(desk, key, action);
    let path = format!("/records/{}/{action}", Desk::id(key));
    desk.send(form(&path, &format!("attempt={attempt}{more}")))
}

#[track_caller]
fn assert_done(answer: &Response, key: &str, done: &str) {
    let to = format!("/ops/records/{}?done={done}", Desk::id(key));
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(answer.header("location"), Some(&*to));
}

#[test]
fn unknown_outcomes_are_listed_and_told_by_the_api() {
    let desk = Desk::new();
    assert_eq!(desk.unknown().expect("a page").outcomes, []);
    assert!(
        desk.page("/")
            .text()
            .contains("every operation has an answer")
    );
    desk.lose_request(&Desk::request("k").header("x-order", "order 9"));
    let page = desk.unknown().expect("a page");
    let [outcome] = &page.outcomes[..] else {
        panic!("{page:?}");
    };
    assert_eq!((outcome.id, &page.next), (Desk::id("k"), &None));
    let route = outcome.description.route();
    assert_eq!(route, Some("/accounts/{account}/charges"));
    for path in ["", "/"] {
        let list = desk.page(path).text();
        for part in [
            &outcome.id.to_string(),
            "POST",
            "/accounts/{account}/charges",
            "order 9",
        ] {
            assert!(list.contains(part), "{part}: {list}");
        }
    }
}

#[test]
fn what_happened_is_what_retries_are_answered() {
    let desk = Desk::new();
    desk.lose("k");
    assert_problem(&desk.send(Desk::request("k")), 500, "outcome-unknown");
    let answer = "&status=202&content_type=application%2Fjson&body=%7B%22id%22%3A7%7D&reason=";
    assert_done(&decide(&desk, "k", "happened", answer), "k", "happened");
    let retry = desk.send(Desk::request("k"));
    assert_replay(&retry, 202, "{\"id\":7}");
    assert_eq!(retry.header("content-type"), Some("application/json"));
    assert_eq!(desk.runs.count(), 1);
    assert_eq!(desk.unknown().expect("a page").outcomes, []);
}

#[test]
fn what_did_not_happen_runs_and_so_does_what_was_forgotten() {
    for (action, key) in [("not-happened", "a"), ("forget", "b")] {
        let desk = Desk::new();
        desk.lose(key);
        assert_done(&decide(&desk, key, action, ""), key, action);
        let mut client = desk.connect();
        client.send(&Desk::request(key));
        desk.gate.wait();
        desk.gate.let_one_through();
        desk.gate.let_one_through();
        assert_eq!(client.receive().text(), "2");
    }
}

#[test]
fn a_decision_about_what_has_changed_since_decides_nothing() {
    let desk = Desk::new();
    desk.lose("k");
    let seen = attempt(&desk, "k", "not-happened");
    assert_done(
        &decide(&desk, "k", "happened", "&status=201"),
        "k",
        "happened",
    );
    let path = format!("/records/{}/not-happened", Desk::id("k"));
    let late = desk.send(form(&path, &format!("attempt={seen}")));
    assert_done(&late, "k", "refused");
    assert!(desk.send(Desk::request("k")).is_replay());
}

#[test]
fn a_record_is_found_by_key_and_caller_and_no_key_stands_in_an_address() {
    let desk = Desk::new();
    desk.lose("k");
    let fields = "method=POST&path=%2Faccounts%2F7%2Fcharges&key=k&scope=header&caller=ada&host=";
    let found = desk.send(form("/search", fields));
    let to = format!("/ops/records/{}", Desk::id("k"));
    assert_eq!((found.status, found.header("location")), (303, Some(&*to)));
    for wrong in ["path=charges", "key=", "caller=", "scope=x", "method=%00"] {
        let (name, _) = wrong.split_once('=').expect("a field");
        let fields = fields
            .split('&')
            .map(|field| match field.starts_with(name) {
                true => wrong,
                false => field,
            });
        let fields: Vec<_> = fields.collect();
        let answer = desk.send(form("/search", &fields.join("&")));
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[test]
fn a_form_of_another_site_is_refused() {
    let desk = Desk::new();
    desk.lose("k");
    let fields = format!("attempt={}", attempt(&desk, "k", "forget"));
    let path = format!("/records/{}/forget", Desk::id("k"));
    let request = || foreign_form(&path, &fields);
    for refused in [
        request(),
        request().header("sec-fetch-site", "cross-site"),
        request().header("sec-fetch-site", "same-site"),
        request()
            .header("sec-fetch-site", "cross-site")
            .header("origin", "http://localhost"),
        request().header("origin", "http://localhost.evil.example"),
        request().header("origin", "null"),
        foreign_form("/search", "id=x"),
    ] {
        assert_eq!(desk.send(refused).status, 403);
    }
    // Without TLS browsers tell the origin alone.
    let own = request().header("origin", "http://localhost");
    assert_done(&desk.send(own), "k", "forget");
}

#[test]
fn whoever_the_guard_refuses_sees_no_page() {
    let desk = Desk::new();
    for path in ["/", "/style.css", &format!("/records/{}", Desk::id("k"))] {
        let request = Request::new(Method::GET, &format!("/ops{path}"));
        assert_eq!(desk.send(request).status, 404, "{path}");
        assert_ne!(desk.page(path).status, 404, "{path}");
    }
}

#[test]
fn every_answer_forbids_scripts_frames_and_caches() {
    let desk = Desk::new();
    desk.lose("k");
    let id = Desk::id("k");
    let answers = [
        desk.page("/"),
        desk.page("/style.css"),
        desk.page(&format!("/records/{id}")),
        desk.page("/records/x"),
        desk.page("/?after=%22"),
        desk.send(foreign_form("/search", "")),
        desk.send(form("/search", &format!("id={id}"))),
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; "));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(!answer.text().contains("<script"));
    }
}

#[test]
fn what_an_application_tells_is_shown_as_text() {
    let desk = Desk::new();
    let label = "<img src=x onerror=alert(1)>\"'&";
    desk.lose_request(&Desk::request("k").header("x-order", label));
    let shown = "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";
    for path in ["/".to_owned(), format!("/records/{}", Desk::id("k"))] {
        let page = desk.page(&path).text();
        assert!(page.contains(shown) && !page.contains("<img"), "{page}");
    }
    assert!(label.len() < Description::MAX_LABEL);
}

#[test]
fn an_answer_that_is_none_is_not_taken() {
    let desk = Desk::new();
    desk.lose("k");
    for wrong in [
        "",
        "&status=99",
        "&status=600",
        "&status=x",
        "&status=201&content_type=a%0Ab",
    ] {
        let answer = decide(&desk, "k", "happened", wrong);
        assert_eq!(answer.status, 400, "{wrong}");
    }
    assert_problem(&desk.send(Desk::request("k")), 500, "outcome-unknown");
}

#[test]
fn a_store_that_is_down_is_said() {
    let desk = Desk::new();
    desk.store.always(Call::Inspect, DOWN);
    let answer = desk.page(&format!("/records/{}", Desk::id("k")));
    assert_eq!(answer.status, 503);
}

#[test]
fn a_decision_is_logged_with_its_reason_and_without_the_key() {
    log::listen();
    let desk = Desk::new();
    desk.lose("secret-key");
    let answer = decide(
        &desk,
        "secret-key",
        "forget",
        "&reason=seen+in+the+ledger%0A!",
    );
    assert_done(&answer, "secret-key", "forget");
    let hash = format!("{:?}", Desk::id("secret-key"));
    let lines = log::lines_with(&["decides on the page", "forget", &hash]);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("seen in the ledger!"))
    );
    assert!(!lines.iter().any(|line| line.contains("secret-key")));
}
