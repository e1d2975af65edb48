//! The page in a browser: an application is killed in mid-run, its operation is found and decided, and the retry gets what
//! was decided. `OPERATOR_SHOTS` names a folder for pictures of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use idempotency_actix_tests::browser::{Browser, Locator, browse, find};
use idempotency_actix_tests::{
    Client, Program, Request, Response, assert_problem, assert_replay, eventually,
};
use tempfile::TempDir;

/// The application, and where it listens.
struct Application {
    program: Program,
    addr: SocketAddr,
}

impl Application {
    fn start(file: &str) -> Self {
        let mut program = Program::start(Command::new(env!("CARGO_BIN_EXE_desk")).arg(file));
        let addr = program.line().parse().expect("an address");
        Self { program, addr }
    }

    fn ask(&self, request: &Request) -> Client {
        let mut client = Client::connect(self.addr);
        client.send(request);
        client
    }

    fn send(&self, request: &Request) -> Response {
        self.ask(request).receive()
    }

    /// Kills it while it runs that request.
    fn die(mut self, request: &Request) {
        let client = self.ask(&request.clone().header("x-pause-ms", "60000"));
        assert_eq!(self.program.line(), "started");
        self.program.process.kill();
        drop(client);
    }
}

fn request(key: &str, order: &str) -> Request {
    Request::post("/accounts/7/charges")
        .header("x-account", "ada")
        .header("x-order", order)
        .key(key)
}

const DESKTOP: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (500, 900);

async fn shoot(browser: &Browser, name: &str) {
    let Some(folder) = env::var_os("OPERATOR_SHOTS").map(PathBuf::from) else {
        return;
    };
    for (of, (width, height)) in [("phone", PHONE), ("desktop", DESKTOP)] {
        browser
            .set_window_size(width, height)
            .await
            .expect("a window");
        let picture = browser.screenshot().await.expect("a picture");
        fs::write(folder.join(format!("{name}-{of}.png")), picture).expect("a writable folder");
    }
}

async fn click(browser: &Browser, text: &str) {
    let path = format!("//main//*[self::a or self::button][contains(., \"{text}\")]");
    let found = find(browser, Locator::XPath(&path)).await;
    found.click().await.expect(text);
}

async fn fill(browser: &Browser, name: &str, text: &str) {
    let field = find(browser, Locator::Css(&format!("[name={name}]"))).await;
    field.clear().await.expect(name);
    field.send_keys(text).await.expect(name);
}

/// Waits for a page that says so.
async fn shows(browser: &Browser, text: &str) {
    let path = format!("//main[contains(., \"{text}\")]");
    find(browser, Locator::XPath(&path)).await;
}

async fn operate(browser: &Browser, addr: SocketAddr) {
    let list = format!("http://{addr}/ops/idempotency");
    browser.goto(&list).await.expect("the list");
    for part in ["/accounts/{account}/charges", "order 17", "order 18"] {
        shows(browser, part).await;
    }
    shoot(browser, "list").await;

    click(browser, "order 17").await;
    shows(browser, "Outcome unknown").await;
    shoot(browser, "record").await;
    click(browser, "It happened").await;
    fill(browser, "status", "201").await;
    fill(browser, "content_type", "application/json").await;
    fill(browser, "body", "{\"charge\": 17}").await;
    fill(browser, "reason", "it is in the ledger").await;
    shoot(browser, "happened").await;
    click(browser, "Yes, it happened").await;
    shows(browser, "Decided: it happened.").await;
    shoot(browser, "decided").await;

    browser.goto(&list).await.expect("the list");
    shows(browser, "order 18").await;
    let source = browser.source().await.expect("the list");
    assert!(!source.contains("order 17"), "{source}");
    click(browser, "order 18").await;
    // By keyboard alone.
    let button = find(browser, Locator::LinkText("It did not")).await;
    button.send_keys("\u{e007}").await.expect("a key");
    let button = browser
        .find(Locator::Css("button"))
        .await
        .expect("a button");
    button.send_keys("\u{e007}").await.expect("a key");
    shows(browser, "Decided: it did not happen.").await;

    browser.goto(&list).await.expect("the list");
    shows(browser, "every operation has an answer").await;
    fill(browser, "path", "/accounts/7/charges").await;
    fill(browser, "key", "one").await;
    let header = find(browser, Locator::Css("option[value=header]")).await;
    header.click().await.expect("a choice");
    fill(browser, "caller", "ada").await;
    shoot(browser, "search").await;
    click(browser, "Search").await;
    shows(browser, "201 Created").await;
}

#[test]
fn a_killed_operation_is_found_and_decided_and_its_retry_gets_what_was_decided() {
    let folder = TempDir::with_prefix("desk-").expect("a folder for temporary files");
    let file = folder.path().join("records.db").display().to_string();
    let (one, two) = (request("one", "17"), request("two", "18"));
    Application::start(&file).die(&one);
    Application::start(&file).die(&two);
    let application = Application::start(&file);
    for request in [&one, &two] {
        eventually("the end of the lease", || {
            application.send(request).status != 409
        });
        assert_problem(&application.send(request), 500, "outcome-unknown");
    }
    browse(async |browser| operate(browser, application.addr).await);
    let retry = application.send(&one);
    assert_replay(&retry, 201, "{\"charge\": 17}");
    assert_eq!(retry.header("content-type"), Some("application/json"));
    let rerun = application.send(&two);
    assert_eq!(
        (rerun.status, &*rerun.text(), rerun.is_replay()),
        (201, "ran", false)
    );
}
