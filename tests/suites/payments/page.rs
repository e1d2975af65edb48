//! The page as a person uses it: what is pressed, and what is then to be seen.

use std::path::PathBuf;
use std::{env, fs};

use idempotency_actix_tests::browser::{Browser, Locator, browse, devtools, find};
use idempotency_actix_tests::eventually_async;
use serde_json::{Value, json};

use crate::service::Service;

pub const DESKTOP: (u32, u32) = (1280, 1070);
pub const PHONE: (u32, u32) = (360, 780);

/// The page, in a browser.
pub struct Page<'a> {
    pub browser: &'a Browser,
    pub url: String,
}

/// Opens the page of a service that was started so.
pub fn visit(args: &[&str], play: impl AsyncFnOnce(&Page<'_>)) {
    let service = Service::start(args);
    let url = format!("http://{}/", service.addr);
    browse(async |browser| {
        let page = Page { browser, url };
        page.resize(DESKTOP, "light").await;
        browser.goto(&page.url).await.expect("the page");
        page.shows(
            "the ledger",
            "document.getElementById('live').dataset.is === 'live'",
        )
        .await;
        play(&page).await;
    });
}

impl Page<'_> {
    /// As if the window had that size, and the person that taste.
    pub async fn resize(&self, (width, height): (u32, u32), scheme: &str) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        devtools(self.browser, "Emulation.setDeviceMetricsOverride", size).await;
        let hidden = json!({ "hidden": true });
        devtools(self.browser, "Emulation.setScrollbarsHidden", hidden).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        devtools(self.browser, "Emulation.setEmulatedMedia", scheme).await;
    }

    /// What a script finds.
    pub async fn ask(&self, script: &str) -> Value {
        let script = format!("return {script}");
        self.browser
            .execute(&script, vec![])
            .await
            .expect("a script")
    }

    /// Waits until a script says so.
    pub async fn shows(&self, what: &str, script: &str) {
        let is_so = async || self.ask(script).await == json!(true);
        eventually_async(what, is_so).await;
    }

    /// Presses a button, with the mouse.
    pub async fn click(&self, id: &str) {
        let button = find(self.browser, Locator::Id(id)).await;
        button.click().await.expect("a click");
    }

    /// Presses keys on a button.
    pub async fn keys(&self, id: &str, keys: &str) {
        let button = find(self.browser, Locator::Id(id)).await;
        button.send_keys(keys).await.expect("keys");
    }

    /// The outcomes of the latest payment, once its last one is this.
    pub async fn outcomes(&self, last: &str) -> Vec<String> {
        let lanes = "[...(document.querySelector('.card')?.querySelectorAll('.lane') ?? [])]";
        let lanes = format!("{lanes}.map(lane => lane.dataset.outcome)");
        self.shows(last, &format!("{lanes}.at(-1) === '{last}'"))
            .await;
        let outcomes = self.ask(&lanes).await;
        let outcomes = outcomes.as_array().expect("outcomes").iter();
        outcomes
            .map(|it| it.as_str().expect("text").to_owned())
            .collect()
    }

    /// What stands there.
    pub async fn text(&self, css: &str) -> String {
        let element = find(self.browser, Locator::Css(css)).await;
        element.text().await.expect("text")
    }

    /// A picture of all of the page, where `PAYMENTS_SHOTS` names a folder for it.
    pub async fn shoot(&self, name: &str) {
        let Some(folder) = env::var_os("PAYMENTS_SHOTS").map(PathBuf::from) else {
            return;
        };
        let is_still = "document.getAnimations().length === 0";
        self.shows("a page that stands still", is_still).await;
        for (of, size) in [("phone", PHONE), ("desktop", DESKTOP)] {
            for scheme in ["dark", "light"] {
                self.resize(size, scheme).await;
                let picture = self.browser.screenshot().await.expect("a picture");
                let file = folder.join(format!("{name}-{of}-{scheme}.png"));
                fs::write(file, picture).expect("a writable folder");
            }
        }
    }
}
