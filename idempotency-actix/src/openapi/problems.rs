//! The layer's problems as responses of an operation, read from the very answers. It does not know which operation.

use std::collections::BTreeMap;

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use serde_json::Value;
use utoipa::openapi::Ref;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};

use super::marks::tell;
use crate::answer::every_problem;

/// What they are said to be.
const MEDIA_TYPE: &str = "application/problem+json";

/// The name of their schema among the document's.
pub(super) const SCHEMA: &str = "IdempotencyProblem";

/// All problems of one status.
#[derive(Default)]
pub(super) struct Problems {
    /// Each by the last part of its type.
    documents: Vec<(&'static str, Value)>,
    headers: Vec<HeaderName>,
}

/// Every problem of a layer, by its status.
pub(super) fn by_status(base: &str) -> BTreeMap<StatusCode, Problems> {
    let mut all = BTreeMap::<_, Problems>::new();
    for problem in every_problem() {
        let name = problem.name();
        let answer = problem.response(base);
        let problems = all.entry(answer.status()).or_default();
        problems.headers.extend(answer.headers().keys().cloned());
        let body = answer.into_body().try_into_bytes().unwrap_or_default();
        let document = serde_json::from_slice(&body).unwrap_or_default();
        problems.documents.push((name, document));
    }
    all
}

impl Problems {
    /// The response of an operation that says nothing of this status.
    pub(super) fn response(&self) -> Response {
        let titles: Vec<_> = self.titles().collect();
        Response::new(titles.join("; "))
    }

    /// Adds them to what a response says already. Without a schema the application gives them a form that nobody knows here.
    pub(super) fn complete(&self, response: &mut Response, schema: Option<&Ref>) {
        for name in &self.headers {
            tell(response, name);
        }
        if let Some(schema) = schema {
            let content = response.content.entry(MEDIA_TYPE.into());
            content.or_insert_with(|| self.content(schema.clone()));
        }
    }

    fn titles(&self) -> impl Iterator<Item = &str> {
        let documents = self.documents.iter();
        documents.filter_map(|(_, document)| document["title"].as_str())
    }

    fn content(&self, schema: Ref) -> Content {
        let examples = self.documents.iter().zip(self.titles());
        let examples = examples.map(|((name, document), title)| {
            let example = ExampleBuilder::new()
                .summary(title)
                .value(Some(document.clone()));
            (*name, example)
        });
        ContentBuilder::new()
            .schema(Some(schema))
            .examples_from_iter(examples)
            .build()
    }
}

/// The document of a problem (RFC 9457), with the two members of the layer's own.
pub(super) fn schema() -> Schema {
    let text = |description: &str| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(description))
    };
    let number = |description: &str| {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some(description))
    };
    let kind = text("Which problem it is: clients decide by it.");
    ObjectBuilder::new()
        .description(Some("Why this request was not run. It binds no key."))
        .property(
            "type",
            kind.format(Some(SchemaFormat::Custom("uri".into()))),
        )
        .property(
            "title",
            text("The problem in a few words, the same each time."),
        )
        .property("status", number("The status of the answer."))
        .property("detail", text("What this client can do about it."))
        .property(
            "original_status",
            number("The status of the first answer, which was not kept."),
        )
        .property("max_key_age", number("For how many seconds a key is good."))
        .required("type")
        .required("title")
        .required("status")
        .required("detail")
        .into()
}
