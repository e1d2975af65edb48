//! `async-graphql`, whose errors have status 200: what of them binds a key, and a key in the body.

use actix_web::http::Method;
use actix_web::{App, Either, HttpRequest, web};
use async_graphql::parser::types::Selection;
use async_graphql::{
    Context, EmptySubscription, ErrorExtensions, Object, Request as Call, Response as Answer,
    Schema, Value as GraphQlValue,
};
use async_graphql_actix_web::{GraphQLRequest, GraphQLResponse};
use idempotency_actix::{Fingerprinting, KeyScope, NotExecuted, RouteOptions, idempotent};
use idempotency_actix_tests::app::{Counter, Mode, Site};
use idempotency_actix_tests::{Request, Response, assert_problem, in_both_modes};
use serde_json::{Value, json};

use crate::modes::{made, path, post};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`async-graphql`",
    package: "async-graphql",
    marked: "a handler that tells by `NotExecuted` what did nothing",
    all_routes: "the same",
    holds: "Errors have status 200 and bind. Those of a request that was not executed, and those of a single mutation that says it \
            did nothing, let a retry run. The key may be in `extensions`, and a query without one passes.",
    tests: &["works_with/graphql.rs"],
};

in_both_modes! {
    an_answer_is_replayed
    an_error_of_a_mutation_that_may_have_acted_is_replayed
    a_mutation_that_says_it_did_nothing_runs_again
    a_document_that_is_refused_leaves_the_key_unused
    of_several_mutations_none_runs_again
    the_key_may_be_in_the_extensions
    a_query_without_a_key_passes
}

struct Queries;

#[Object]
impl Queries {
    async fn runs(&self, context: &Context<'_>) -> usize {
        context.data_unchecked::<Counter>().count()
    }
}

struct Mutations;

#[Object]
impl Mutations {
    /// Refuses nothing at all before it acts, and fails after the effect where it is less than nothing.
    async fn charge(&self, context: &Context<'_>, cents: i64) -> async_graphql::Result<usize> {
        if cents == 0 {
            let error = async_graphql::Error::new("nothing to charge");
            return Err(error.extend_with(|_, more| more.set("notExecuted", true)));
        }
        let run = context.data_unchecked::<Counter>().next();
        match cents < 0 {
            true => Err("the mail server failed".into()),
            false => Ok(run),
        }
    }
}

type Charges = Schema<Queries, Mutations, EmptySubscription>;

/// Whether it is sure that nothing was done: execution did not begin, or a single field says so itself.
fn did_nothing(fields: Option<usize>, answer: &Answer) -> bool {
    let has_not_begun = answer.errors.iter().all(|error| error.path.is_empty());
    let says_so = answer.errors.iter().all(|error| {
        let more = error.extensions.as_ref();
        more.and_then(|more| more.get("notExecuted")) == Some(&GraphQlValue::Boolean(true))
    });
    !answer.errors.is_empty()
        && answer.data == GraphQlValue::Null
        && (has_not_begun || (fields == Some(1) && says_so))
}

/// How many fields the document has at its top, in all of its operations; nobody counts those of a fragment.
fn fields(call: &mut Call) -> Option<usize> {
    let operations = call.parsed_query().ok()?.operations.iter();
    let mut selections = operations.flat_map(|(_, of)| &of.node.selection_set.node.items);
    selections.try_fold(0, |fields, selection| match selection.node {
        Selection::Field(_) => Some(fields + 1),
        _ => None,
    })
}

#[idempotent(fingerprint = "json", key_header = "idempotency-key", key = key, inner = execute)]
async fn execute_once(
    charges: web::Data<Charges>,
    runs: Counter,
    call: GraphQLRequest,
) -> Either<GraphQLResponse, NotExecuted<GraphQLResponse>> {
    let mut call = call.into_inner().data(runs);
    let fields = fields(&mut call);
    let answer = charges.execute(call).await;
    match did_nothing(fields, &answer) {
        true => Either::Right(NotExecuted(answer.into())),
        false => Either::Left(answer.into()),
    }
}

/// The key of a client that cannot set headers.
fn key(_: &HttpRequest, body: &[u8]) -> Option<String> {
    let call: Value = serde_json::from_slice(body).ok()?;
    Some(call["extensions"]["idempotencyKey"].as_str()?.to_owned())
}

fn site(mode: Mode) -> Site {
    let layer = made(mode, KeyScope::everyone(), |layer| match mode {
        Mode::Marked => layer,
        Mode::AllRoutes => {
            let route = RouteOptions::new().fingerprint(Fingerprinting::json());
            let route = route.key_header("idempotency-key").key(key);
            layer.route(Method::POST, path(mode), route)
        }
    });
    Site::serve(move |runs| {
        let schema = Schema::new(Queries, Mutations, EmptySubscription);
        App::new()
            .app_data(runs)
            .app_data(web::Data::new(schema))
            .wrap(layer.clone())
            .route("/marked", web::post().to(execute_once))
            .route("/plain", web::post().to(execute))
    })
}

fn call(mode: Mode, body: &Value) -> Request {
    let request = post(mode).header("Content-Type", "application/json");
    request.body(body.to_string())
}

fn document(mode: Mode, query: &str) -> Request {
    call(mode, &json!({ "query": query })).key("k")
}

fn body(answer: &Response) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn an_answer_is_replayed(mode: Mode) {
    let site = site(mode);
    let (first, retry) = site.twice(&document(mode, "mutation { charge(cents: 7) }"));
    assert_eq!(body(&first), json!({ "data": { "charge": 1 } }));
    assert_eq!((retry.text(), retry.is_replay()), (first.text(), true));
    assert_eq!(site.runs.count(), 1);
}

fn an_error_of_a_mutation_that_may_have_acted_is_replayed(mode: Mode) {
    let site = site(mode);
    let (first, retry) = site.twice(&document(mode, "mutation { charge(cents: -1) }"));
    assert_eq!(
        body(&first)["errors"][0]["message"],
        "the mail server failed"
    );
    assert_eq!((retry.text(), retry.is_replay()), (first.text(), true));
    assert_eq!(site.runs.count(), 1);
}

fn a_mutation_that_says_it_did_nothing_runs_again(mode: Mode) {
    let site = site(mode);
    let (first, retry) = site.twice(&document(mode, "mutation { charge(cents: 0) }"));
    assert_eq!(body(&first)["errors"][0]["message"], "nothing to charge");
    assert_eq!((retry.text(), retry.is_replay()), (first.text(), false));
    let other = site.send(document(mode, "mutation { charge(cents: 7) }"));
    assert_eq!(body(&other), json!({ "data": { "charge": 1 } }));
}

fn a_document_that_is_refused_leaves_the_key_unused(mode: Mode) {
    let site = site(mode);
    for wrong in ["mutation {", "mutation { refund }"] {
        let answer = site.send(document(mode, wrong));
        assert!(body(&answer)["errors"].is_array(), "{answer:?}");
        assert!(!answer.is_replay(), "{answer:?}");
    }
    let right = site.send(document(mode, "mutation { charge(cents: 7) }"));
    assert_eq!(body(&right), json!({ "data": { "charge": 1 } }));
}

fn of_several_mutations_none_runs_again(mode: Mode) {
    let site = site(mode);
    let both = "a: charge(cents: 7) b: charge(cents: 0)";
    for written in [
        format!("mutation {{ {both} }}"),
        format!("mutation {{ ... {{ {both} }} }}"),
    ] {
        let request = call(mode, &json!({ "query": written })).key(&written.len().to_string());
        let (first, retry) = site.twice(&request);
        assert_eq!(body(&first)["errors"][0]["path"], json!(["b"]));
        assert_eq!((retry.text(), retry.is_replay()), (first.text(), true));
    }
    assert_eq!(site.runs.count(), 2);
}

fn the_key_may_be_in_the_extensions(mode: Mode) {
    let site = site(mode);
    let with = |cents: i64| {
        let query = "mutation($cents: Int!) { charge(cents: $cents) }";
        let key = json!({ "idempotencyKey": "in the body" });
        call(
            mode,
            &json!({ "query": query, "variables": { "cents": cents }, "extensions": key }),
        )
    };
    let (first, retry) = site.twice(&with(7));
    assert_eq!(body(&first), json!({ "data": { "charge": 1 } }));
    assert!(retry.is_replay(), "{retry:?}");
    assert_problem(&site.send(with(8)), 422, "key-reused");
}

fn a_query_without_a_key_passes(mode: Mode) {
    let site = site(mode);
    let query = call(mode, &json!({ "query": "{ runs }" }));
    assert_eq!(
        body(&site.send(query.clone())),
        json!({ "data": { "runs": 0 } })
    );
    site.send(document(mode, "mutation { charge(cents: 7) }"));
    assert_eq!(body(&site.send(query)), json!({ "data": { "runs": 1 } }));
}
