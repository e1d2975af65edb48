//! The operations of a document that take keys, each completed by what the layer does. What they say themselves stays.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use utoipa::Modify;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::response::{Response, Responses};
use utoipa::openapi::{OpenApi, Ref, RefOr};

use super::key_param::NAME;
use super::marks::mark;
use super::problems::{self, Problems, SCHEMA};
use crate::layer::Idempotency;
use crate::options::{KeyScope, Options};

/// Completes every operation that has the key's parameter, for `modifiers(&IdempotentOperations)`.
///
/// It adds the problems of a layer with the default options, and the headers that mark replays. Where a layer has other
/// options, [`Idempotency`] itself is the modifier.
///
/// # Examples
///
/// See the [module](crate::openapi).
#[derive(Clone, Copy, Debug)]
pub struct IdempotentOperations;

impl Modify for IdempotentOperations {
    fn modify(&self, document: &mut OpenApi) {
        let options = Options::new(KeyScope::everyone());
        Described::of(&options, false).complete(document);
    }
}

/// Completes every operation that has the key's parameter by what this layer answers.
impl Modify for Idempotency {
    fn modify(&self, document: &mut OpenApi) {
        Described::of(self.options(), self.forms_problems()).complete(document);
    }
}

/// What a document has to say of a layer.
struct Described<'a> {
    options: &'a Options,
    problems: BTreeMap<StatusCode, Problems>,
    /// What problems look like, unless the application gives them a form of its own.
    schema: Option<Ref>,
}

impl<'a> Described<'a> {
    fn of(options: &'a Options, forms_problems: bool) -> Self {
        Self {
            options,
            problems: problems::by_status(&options.problem_base),
            schema: (!forms_problems).then(|| Ref::from_schema_name(SCHEMA)),
        }
    }

    fn complete(&self, document: &mut OpenApi) {
        let mut is_any = false;
        for path in document.paths.paths.values_mut() {
            for operation in keyed(path, |parameter| self.is_key(parameter)) {
                is_any = true;
                self.complete_responses(&mut operation.responses);
            }
        }
        if !is_any {
            return;
        }
        let components = document.components.get_or_insert_default();
        if self.schema.is_some() {
            let schemas = &mut components.schemas;
            schemas
                .entry(SCHEMA.into())
                .or_insert_with(|| problems::schema().into());
        }
        for (status, problems) in &self.problems {
            let shared = components.responses.entry(shared(*status));
            shared.or_insert_with(|| {
                let mut response = problems.response();
                problems.complete(&mut response, self.schema.as_ref());
                response.into()
            });
        }
    }

    fn is_key(&self, parameter: &Parameter) -> bool {
        let is_named = |name: &str| parameter.name.eq_ignore_ascii_case(name);
        let own = self.options.key.header().map(HeaderName::as_str);
        parameter.parameter_in == ParameterIn::Header
            && (is_named(NAME) || own.is_some_and(is_named))
    }

    fn complete_responses(&self, responses: &mut Responses) {
        let described = &mut responses.responses;
        for response in described.values_mut() {
            if let RefOr::T(response) = response {
                mark(response, self.options.window_header.as_ref());
            }
        }
        for (status, problems) in &self.problems {
            let response = match said_of(*status, described) {
                None => Ref::from_response_name(shared(*status)).into(),
                Some(RefOr::T(mut response)) => {
                    problems.complete(&mut response, self.schema.as_ref());
                    response.into()
                }
                Some(RefOr::Ref(_)) => continue,
            };
            described.insert(status.as_str().into(), response);
        }
    }
}

/// What an operation says of a status: by itself, as one of its class, or as one of all others.
fn said_of(
    status: StatusCode,
    described: &BTreeMap<String, RefOr<Response>>,
) -> Option<RefOr<Response>> {
    let class = format!("{}XX", status.as_u16() / 100);
    let names = [status.as_str(), &class, "default"];
    names.iter().find_map(|name| described.get(*name)).cloned()
}

/// The name of what all operations share that say nothing of a status.
fn shared(status: StatusCode) -> String {
    format!("Idempotency{}", status.as_u16())
}

/// The operations of a path that may have an effect and take a key.
fn keyed(
    path: &mut PathItem,
    is_key: impl Fn(&Parameter) -> bool,
) -> impl Iterator<Item = &mut Operation> {
    let takes = move |parameters: &Option<Vec<Parameter>>| parameters.iter().flatten().any(&is_key);
    let all_do = takes(&path.parameters);
    let operations = [
        &mut path.post,
        &mut path.put,
        &mut path.patch,
        &mut path.delete,
    ];
    let operations = operations.into_iter().flatten();
    operations.filter(move |operation| all_do || takes(&operation.parameters))
}
