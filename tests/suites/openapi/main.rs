//! A generated document: valid to a public validator, complete, and true of what the served application answers.

mod answers;
mod document;
mod own_words;
mod validator;

use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, Responder, get, post};
use idempotency_actix::idempotent;
use idempotency_actix::openapi::{
    IdempotencyKeyParam, IdempotentOperations, RequiredIdempotencyKeyParam,
};
use idempotency_actix_tests::app::{Counter, Gate, Site, marked};
use idempotency_actix_tests::{Request, assert_first, assert_problem, assert_replay};
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::answers::problem;
use crate::document::{PROBLEM, examples, response};
use crate::validator::validate;

const GUIDE: &str = include_str!("../../../idempotency-actix/guide/outcomes.md");

/// A body whose charge waits for the gate.
const WAITS: &str = "waits";

/// Charges once.
#[utoipa::path(
    params(RequiredIdempotencyKeyParam),
    responses((status = 201, description = "Charged.", body = String))
)]
#[post("/charges")]
#[idempotent(required)]
async fn create_charge(body: String, gate: Gate, runs: Counter) -> impl Responder {
    if body == WAITS {
        gate.pass().await;
    }
    HttpResponse::Created().body(format!("{}:{body}", runs.next()))
}

/// Notes down, with a key or without.
#[utoipa::path(params(IdempotencyKeyParam), responses((status = 204, description = "Noted.")))]
#[post("/notes")]
#[idempotent]
async fn note(runs: Counter) -> impl Responder {
    runs.next();
    HttpResponse::NoContent()
}

/// Lists charges.
#[utoipa::path(params(IdempotencyKeyParam), responses((status = 200, description = "All.")))]
#[get("/charges")]
async fn charges() -> impl Responder {
    HttpResponse::Ok()
}

/// Takes no key.
#[utoipa::path(responses((status = 200, description = "Searched.")))]
#[post("/searches")]
async fn search() -> impl Responder {
    HttpResponse::Ok()
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Charges", version = "1"),
    paths(create_charge, note, charges, search),
    modifiers(&IdempotentOperations)
)]
struct Api;

fn routes(gate: &Gate) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let gate = gate.clone();
    move |config| {
        let config = config.app_data(gate.clone());
        config.service(create_charge).service(note);
        config.service(charges).service(search);
    }
}

fn api() -> Value {
    serde_json::to_value(Api::openapi()).unwrap()
}

/// The problems of the guide's table, each with its status.
fn problems() -> Vec<(&'static str, &'static str)> {
    let rows = GUIDE.lines().filter_map(|line| {
        let row = line.strip_prefix("| ")?.strip_suffix("` |")?;
        let (rest, name) = row.rsplit_once('`')?;
        let status = rest.split('|').nth(1)?.trim_start().get(..3)?;
        status.parse::<u16>().ok()?;
        Some((name, status))
    });
    rows.collect()
}

#[test]
fn a_public_validator_takes_the_document_and_its_examples() {
    let api = api();
    let examples = examples(&api);
    assert_eq!(examples.len(), problems().len());
    assert_eq!(validate(&api, &examples), Ok(()));
}

#[test]
fn the_validator_refuses_what_is_wrong() {
    let mut wrong = api();
    wrong["paths"]["/charges"]["post"]["responses"]["201"] = json!({ "headers": 1 });
    assert!(validate(&wrong, &[]).is_err());
    let api = api();
    let (schema, example) = examples(&api)[0];
    let mut untrue = example.clone();
    untrue["status"] = json!("four hundred");
    assert!(validate(&api, &[(schema, &untrue)]).is_err());
}

#[test]
fn every_problem_of_the_guide_is_there_with_its_status() {
    let api = api();
    assert_eq!(problems().len(), 13);
    for path in ["/charges", "/notes"] {
        for (name, status) in problems() {
            let examples = &response(&api, path, status)["content"][PROBLEM]["examples"];
            let document = &examples[name]["value"];
            assert_eq!(document["status"].to_string(), status, "{path} {name}");
            let kind = format!("urn:problem-type:idempotency-actix:{name}");
            assert_eq!(document["type"], kind, "{path}");
        }
    }
}

#[test]
fn every_problem_is_answered_as_the_document_says() {
    let api = api();
    let mut bodies = Vec::new();
    for (name, status) in problems() {
        let answer = problem(name);
        assert_problem(&answer, status.parse().unwrap(), name);
        let described = response(&api, "/charges", status);
        for header in ["Retry-After", "Location"] {
            let is_told = answer.header(&header.to_lowercase()).is_some();
            assert_eq!(
                described["headers"][header].is_object(),
                is_told,
                "{name}: {header}"
            );
        }
        let content_type = answer.header("content-type").unwrap();
        let schema = &described["content"][content_type]["schema"];
        assert!(schema.is_object(), "{name}");
        bodies.push((schema, serde_json::from_slice(&answer.body).unwrap()));
    }
    let values: Vec<(&Value, &Value)> = bodies
        .iter()
        .map(|(schema, body)| (*schema, body))
        .collect();
    assert_eq!(validate(&api, &values), Ok(()));
}

#[test]
fn a_replay_has_the_header_that_the_document_tells_of() {
    let site = Site::new(marked(), routes(&Gate::closed()));
    let (first, retry) = site.twice(&Request::post("/charges").key("k-1").body("5"));
    assert_first(&first, 201, "1:5");
    assert_replay(&retry, 201, "1:5");
    assert_eq!(site.runs.count(), 1);

    let api = api();
    let header = &response(&api, "/charges", "201")["headers"]["Idempotent-Replayed"];
    let value = json!(retry.header("idempotent-replayed"));
    assert_eq!(validate(&api, &[(&header["schema"], &value)]), Ok(()));
    for (_, status) in problems() {
        let headers = &response(&api, "/charges", status)["headers"];
        assert!(headers["Idempotent-Replayed"].is_null(), "{status}");
    }
}

#[test]
fn the_key_is_a_header_that_is_required_where_the_route_says_so() {
    let api = api();
    for (path, is_required) in [("/charges", true), ("/notes", false)] {
        let parameter = &api["paths"][path]["post"]["parameters"][0];
        assert_eq!(parameter["name"], "Idempotency-Key", "{path}");
        assert_eq!(parameter["in"], "header", "{path}");
        assert_eq!(parameter["required"], is_required, "{path}");
        let site = Site::new(marked(), routes(&Gate::closed()));
        assert_eq!(
            site.send(Request::post(path)).status == 400,
            is_required,
            "{path}"
        );
    }
}

#[test]
fn the_example_of_a_key_is_one() {
    let api = api();
    let parameter = &api["paths"]["/charges"]["post"]["parameters"][0];
    let key = parameter["example"].as_str().unwrap();
    assert_eq!(
        validate(&api, &[(&parameter["schema"], &json!(key))]),
        Ok(())
    );
    let strict = idempotency_actix_tests::app::builder().strict_keys(true);
    let site = Site::new(strict.build().unwrap(), routes(&Gate::closed()));
    assert_eq!(site.send(Request::post("/charges").key(key)).status, 201);
}

#[test]
fn operations_that_take_no_key_stay_as_they_are() {
    let api = api();
    for (path, method, own) in [
        (
            "/searches",
            "post",
            json!({ "200": { "description": "Searched." } }),
        ),
        (
            "/charges",
            "get",
            json!({ "200": { "description": "All." } }),
        ),
    ] {
        assert_eq!(
            api["paths"][path][method]["responses"], own,
            "{method} {path}"
        );
    }
}

#[test]
fn a_document_without_such_operations_gets_no_components() {
    #[derive(OpenApi)]
    #[openapi(paths(search), modifiers(&IdempotentOperations))]
    struct Searches;

    let api = serde_json::to_value(Searches::openapi()).unwrap();
    assert!(api["components"]["responses"].is_null(), "{api}");
    assert!(api["components"]["schemas"].is_null(), "{api}");
}
