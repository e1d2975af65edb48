//! How the page is there: on a phone, by keyboard, and with nothing that is not its own.

use idempotency_actix_tests::browser::{Locator, devtools, find};
use serde_json::json;

use crate::page::{DESKTOP, PHONE, visit};

const TAB: &str = "\u{e004}";

#[test]
fn nothing_is_wider_than_a_phone() {
    visit(&[], async |page| {
        page.click("other").await;
        page.outcomes("replayed").await;
        for size in [DESKTOP, PHONE, (320, 600)] {
            page.resize(size, "light").await;
            let scrolls = "document.documentElement.scrollWidth > innerWidth";
            assert_eq!(page.ask(scrolls).await, json!(false), "{size:?}");
            let wide = "[...document.querySelectorAll('body *')].filter(it => \
                        it.getBoundingClientRect().right > innerWidth + 1).map(it => it.className)";
            assert_eq!(page.ask(wide).await, json!([]), "{size:?}");
        }
    });
}

#[test]
fn a_keyboard_reaches_every_button_and_sees_where_it_is() {
    visit(&[], async |page| {
        for id in ["pay", "new", "lose", "other", "down", "kill"] {
            let focused = find(page.browser, Locator::Css(":focus, body:not(:has(:focus))")).await;
            focused.send_keys(TAB).await.expect("a key");
            assert_eq!(page.ask("document.activeElement.id").await, json!(id));
            let outline = "getComputedStyle(document.activeElement).outlineStyle";
            assert_eq!(page.ask(outline).await, json!("solid"));
        }
    });
}

#[test]
fn nothing_moves_where_that_is_unwanted() {
    visit(&[], async |page| {
        let calm = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
        devtools(page.browser, "Emulation.setEmulatedMedia", calm).await;
        page.click("other").await;
        page.outcomes("replayed").await;
        let moving = "document.getAnimations().length";
        assert_eq!(page.ask(moving).await, json!(0));
    });
}

#[test]
fn only_scripts_and_styles_of_its_own_are_allowed() {
    visit(&[], async |page| {
        let policy = "fetch('/').then(answer => answer.headers.get('content-security-policy'))";
        let policy = page.ask(policy).await;
        let policy = policy.as_str().expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "));
        assert!(!policy.contains("unsafe"));
    });
}
