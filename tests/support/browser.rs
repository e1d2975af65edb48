//! Chromium without a window, driven by ChromeDriver.

use std::env;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::Command;

use actix_web::rt::System;
use fantoccini::ClientBuilder;
pub use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
pub use fantoccini::{Client as Browser, Locator};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::patience::PATIENCE;
use crate::program::Program;

/// Plays in a browser of its own, which is ended however that goes.
pub fn browse(play: impl AsyncFnOnce(&Browser)) {
    let driver = Driver::start();
    let profile = TempDir::with_prefix("browser-").expect("a folder for temporary files");
    System::new().block_on(async {
        let browser = driver.browser(&profile).await;
        let played = AssertUnwindSafe(play(&browser)).catch_unwind().await;
        browser.close().await.expect("an end of the session");
        played.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// What is there, or will be when the page is.
pub async fn find(browser: &Browser, what: Locator<'_>) -> Element {
    let found = browser.wait().at_most(PATIENCE).for_element(what).await;
    found.unwrap_or_else(|error| panic!("{what:?}: {error}"))
}

/// Asks the browser itself, by the Chrome DevTools Protocol.
pub async fn devtools(browser: &Browser, method: &str, params: Value) -> Value {
    let body = json!({ "cmd": method, "params": params });
    let of_chromium = OfChromium("goog/cdp/execute", body);
    browser.issue_cmd(of_chromium).await.expect(method)
}

/// What the browser has logged since it was asked last; `browser` is the console, `performance` what DevTools are told.
pub async fn logged(browser: &Browser, kind: &str) -> Vec<Value> {
    let of_chromium = OfChromium("se/log", json!({ "type": kind }));
    let lines = browser.issue_cmd(of_chromium).await.expect("a log");
    lines.as_array().expect("lines").clone()
}

/// A command that only this driver knows: its path within the session, and what is posted there.
#[derive(Debug)]
struct OfChromium(&'static str, Value);

impl WebDriverCompatibleCommand for OfChromium {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.0
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

/// ChromeDriver, which ends its browser with the session.
struct Driver {
    _program: Program,
    address: String,
}

impl Driver {
    fn start() -> Self {
        let which = env::split_paths(&env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join("chromedriver"))
            .find(|file| file.exists());
        let driver = which.expect("no chromedriver on the PATH: run `scripts/test`");
        let mut program = Program::start(Command::new(driver).arg("--port=0"));
        let port = program.line_with("successfully on port ");
        let port = port.trim_end_matches('.');
        Self {
            address: format!("http://127.0.0.1:{port}"),
            _program: program,
        }
    }

    async fn browser(&self, profile: &TempDir) -> Browser {
        let profile = profile.path().display();
        let arguments = json!({
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                format!("--user-data-dir={profile}"),
            ] },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(capabilities) = arguments else {
            unreachable!("an object");
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        builder.connect(&self.address).await.expect("a browser")
    }
}
