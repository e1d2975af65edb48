//! The public validator, `openapi-spec-validator` of PyPI. It asks no network.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Where `scripts/test` installs it, if the machine does not have it.
const INSTALLED: &str = "target/openapi";

const INSTALL: &str =
    "python3 -m pip install --target target/openapi openapi-spec-validator==0.9.0";

/// What the validator says against the document, or against the values by their schemas, which may refer to it.
pub(crate) fn validate(document: &Value, values: &[(&Value, &Value)]) -> Result<(), String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new("python3")
        .arg(tests.join("suites/openapi/validate.py"))
        .env("PYTHONPATH", tests.join("..").join(INSTALLED))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("python3 does not start ({error}): apt-get install python3")
        });
    let given = json!({ "document": document, "values": values }).to_string();
    let mut input = python.stdin.take().expect("its input");
    // One that ends before it has read all says why.
    _ = input.write_all(given.as_bytes());
    drop(input);
    let output = python.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !said.contains("ModuleNotFoundError"),
        "{said}\ninstall it: {INSTALL}"
    );
    match output.status.success() {
        true => Ok(()),
        false => Err(said),
    }
}
