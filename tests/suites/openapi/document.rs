//! What the tests look up in a document.

use serde_json::Value;

pub(crate) const PROBLEM: &str = "application/problem+json";

/// What the document says of a status of a POST, with the reference followed if it is one.
pub(crate) fn response<'a>(document: &'a Value, path: &str, status: &str) -> &'a Value {
    let response = &document["paths"][path]["post"]["responses"][status];
    match response["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("nothing at {reference}")),
        None => response,
    }
}

/// Every example of a problem in it, with its schema.
pub(crate) fn examples(document: &Value) -> Vec<(&Value, &Value)> {
    let shared = document["components"]["responses"].as_object();
    let contents = shared.into_iter().flatten();
    let contents = contents.map(|(_, response)| &response["content"][PROBLEM]);
    contents
        .flat_map(|content| {
            let examples = content["examples"].as_object().into_iter().flatten();
            examples.map(|(_, example)| (&content["schema"], &example["value"]))
        })
        .collect()
}
