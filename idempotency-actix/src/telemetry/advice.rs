//! What a refusal says about the application rather than its client: told once for each route. It refuses nothing.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::outcome::OutcomeEvent;

/// Routes that are remembered. An application that has more of them hears of the first ones.
const MOST: usize = 1_000;

/// Says what to do where a problem is the application's mostly.
pub(super) fn advise(event: &OutcomeEvent<'_>) {
    let advice = match event.problem {
        Some("no-scope") => {
            "a request with a key told no caller: authenticate it before the layer looks at it (by middleware around the \
             layer in all-routes mode), and have its KeyScope find who that is"
        }
        Some("missing-key") => {
            "a request without a key was refused, since its route requires one: have its clients send one, or take \
             `required` away"
        }
        _ => return,
    };
    let problem = event.problem.unwrap_or_default();
    let route = event.route.unwrap_or_default();
    if is_new(format!("{problem} {} {route}", event.method)) {
        tracing::warn!(problem, method = event.method, route, "{advice}; said once");
    }
}

fn is_new(place: String) -> bool {
    static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let said = said.get_or_insert_default();
    said.len() < MOST && said.insert(place)
}
