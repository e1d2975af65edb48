//! What an operation says itself, and what a layer's own options change of the rest.

use actix_web::HttpResponse;
use idempotency_actix::Idempotency;
use idempotency_actix::openapi::IdempotentOperations;
use idempotency_actix_tests::app::builder;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;
use utoipa::{Modify, OpenApi as _};

use crate::document::{PROBLEM, response};
use crate::validator::validate;

/// A document with one operation, whose parameter and responses are these.
fn written(parameter: &str, responses: Value) -> OpenApi {
    let parameter = json!({
        "name": parameter, "in": "header", "required": false, "schema": { "type": "string" },
    });
    let operation = json!({ "parameters": [parameter], "responses": responses });
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Charges", "version": "1" },
        "paths": { "/charges": { "post": operation } },
        "components": { "responses": { "Refused": { "description": "Ours." } } },
    });
    serde_json::from_value(document).unwrap()
}

fn completed(by: &impl Modify, mut document: OpenApi) -> Value {
    by.modify(&mut document);
    let completed = serde_json::to_value(document).unwrap();
    assert_eq!(validate(&completed, &[]), Ok(()));
    completed
}

fn keyed(responses: Value) -> Value {
    completed(&IdempotentOperations, written("idempotency-key", responses))
}

#[test]
fn what_is_said_of_a_status_stays_and_the_problems_stand_beside_it() {
    let own = json!({ "schema": { "type": "integer" } });
    let api = keyed(json!({ "422": {
        "description": "No such currency.",
        "headers": { "idempotent-replayed": { "schema": { "type": "string" }, "description": "Own." } },
        "content": { "application/json": own },
    } }));
    let response = response(&api, "/charges", "422");
    assert_eq!(response["description"], "No such currency.");
    assert_eq!(response["content"]["application/json"], own);
    assert_eq!(
        response["headers"]["idempotent-replayed"]["description"],
        "Own."
    );
    assert!(response["headers"]["Idempotent-Replayed"].is_null());
    let examples = &response["content"][PROBLEM]["examples"];
    assert_eq!(examples["key-reused"]["value"]["status"], 422);
}

#[test]
fn what_is_said_of_problems_stays() {
    let own = json!({ "schema": { "type": "integer" } });
    let api = keyed(json!({ "409": {
        "description": "Wait.",
        "headers": { "Retry-After": { "schema": { "type": "string" } } },
        "content": { PROBLEM: own },
    } }));
    let response = response(&api, "/charges", "409");
    assert_eq!(response["description"], "Wait.");
    assert_eq!(response["content"], json!({ PROBLEM: own }));
    let retry = json!({ "schema": { "type": "string" } });
    assert_eq!(response["headers"]["Retry-After"], retry);
}

#[test]
fn a_reference_stays() {
    let reference = json!({ "$ref": "#/components/responses/Refused" });
    let api = keyed(json!({ "400": reference }));
    let responses = &api["paths"]["/charges"]["post"]["responses"];
    assert_eq!(responses["400"], reference);
    let refused = &api["components"]["responses"]["Refused"];
    assert_eq!(refused, &json!({ "description": "Ours." }));
}

#[test]
fn a_class_and_the_default_hold_for_the_statuses_of_problems_too() {
    let content = json!({ "application/json": { "schema": { "type": "integer" } } });
    let api = keyed(json!({
        "4XX": { "description": "Refused.", "content": content },
        "default": { "description": "Else.", "content": content },
    }));
    for (status, description) in [("409", "Refused."), ("503", "Else.")] {
        let response = response(&api, "/charges", status);
        assert_eq!(response["description"], description);
        assert_eq!(
            response["content"]["application/json"],
            content["application/json"]
        );
        assert!(response["content"][PROBLEM].is_object(), "{status}");
    }
    let class = response(&api, "/charges", "4XX");
    assert_eq!(class["content"], content);
}

#[test]
fn a_parameter_of_the_path_counts() {
    let mut document = serde_json::to_value(written("Idempotency-Key", json!({}))).unwrap();
    let path = &mut document["paths"]["/charges"];
    path["parameters"] = path["post"]["parameters"].take();
    path["post"] = json!({ "responses": { "201": { "description": "Charged." } } });
    let api = completed(
        &IdempotentOperations,
        serde_json::from_value(document).unwrap(),
    );
    assert!(response(&api, "/charges", "409")["content"][PROBLEM].is_object());
}

#[test]
fn a_document_that_is_completed_again_stays_as_it_is() {
    let mut once = crate::Api::openapi();
    let before = serde_json::to_value(&once).unwrap();
    IdempotentOperations.modify(&mut once);
    assert_eq!(serde_json::to_value(once).unwrap(), before);
}

#[test]
fn a_layer_tells_of_its_own_header_base_and_window() {
    let layer = builder()
        .key_header("X-Request-Id")
        .problem_base("https://docs.example/problems/")
        .window_header("X-Window-")
        .build()
        .unwrap();
    let created = json!({ "201": { "description": "Charged." } });
    let api = completed(&layer, written("x-request-id", created));
    let problem = &response(&api, "/charges", "422")["content"][PROBLEM]["examples"]["key-reused"];
    assert_eq!(
        problem["value"]["type"],
        "https://docs.example/problems/key-reused"
    );
    let headers = &response(&api, "/charges", "201")["headers"];
    assert_eq!(headers["X-Window-"]["schema"]["type"], "integer");
}

#[test]
fn a_form_of_the_applications_own_is_left_to_the_application() {
    let layer: Idempotency = builder()
        .problem_response(|_, problem| HttpResponse::build(problem.status()).finish())
        .build()
        .unwrap();
    let api = completed(&layer, written("Idempotency-Key", json!({})));
    let in_flight = response(&api, "/charges", "409");
    assert!(in_flight["headers"]["Retry-After"].is_object());
    assert!(in_flight["content"].is_null());
    assert!(api["components"]["schemas"].is_null());
}
