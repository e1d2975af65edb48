//! What stands on each page. It asks no store, and decides nothing.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::HttpDate;

use super::decision::Action;
use super::document::{Text, document, encoded};
use super::search::SCOPES;
use crate::store::{
    AttemptId, Description, Finished, Page, Record, RecordId, State, UnknownOutcome,
};

pub(super) fn list(base: &str, page: &Page, is_later: bool, now: SystemTime) -> HttpResponse {
    let mut body = String::from(
        "<p>The process that ran each of these died, or lost its store, before it could say how it ended. Retries are \
         refused until somebody decides.</p>\n",
    );
    match (page.outcomes.is_empty(), &page.next) {
        (false, _) => {
            body.push_str("<ul class=\"outcomes\">\n");
            for outcome in &page.outcomes {
                body.push_str(&entry(base, outcome, now));
            }
            body.push_str("</ul>\n");
        }
        (true, Some(_)) => {
            body.push_str("<p class=\"none\">None among the records looked at so far.</p>\n")
        }
        (true, None) if is_later => body.push_str("<p class=\"none\">No more.</p>\n"),
        (true, None) => body.push_str(
            "<p class=\"none\">None: every operation has an answer, or still runs.</p>\n",
        ),
    }
    if let Some(next) = &page.next {
        let home = encoded(base);
        _ = writeln!(
            body,
            "<p><a class=\"button\" href=\"{home}/?after={next}\">Look further</a></p>"
        );
    }
    body.push_str(&search(base));
    document(base, StatusCode::OK, "Unknown outcomes", &body)
}

fn entry(base: &str, outcome: &UnknownOutcome, now: SystemTime) -> String {
    let (home, id) = (encoded(base), outcome.id);
    let place = place(&outcome.description);
    let label = label(&outcome.description);
    let ago = ago(now.duration_since(outcome.since()).unwrap_or_default());
    let short = &id.to_string()[..8];
    format!(
        "<li><a href=\"{home}/records/{id}\">{place}{label}<span class=\"when\">unknown for {ago}</span>\
         <span class=\"id\">{short}</span></a></li>\n"
    )
}

/// Where the store cannot list, a record can be searched all the same.
pub(super) fn unlisted(base: &str) -> HttpResponse {
    let body =
        "<p class=\"none\">This store cannot list unknown outcomes. Search one by its key.</p>\n"
            .to_owned();
    document(
        base,
        StatusCode::OK,
        "Unknown outcomes",
        &(body + &search(base)),
    )
}

fn search(base: &str) -> String {
    let home = encoded(base);
    let scopes = SCOPES
        .map(|(value, words)| format!("<option value=\"{value}\">{words}"))
        .concat();
    format!(
        "<section aria-labelledby=\"search\">\n<h2 id=\"search\">Search by key and caller</h2>\n\
         <form method=\"post\" action=\"{home}/search\" autocomplete=\"off\">\n\
         <label>Method <select name=\"method\"><option>POST<option>PUT<option>PATCH<option>DELETE</select></label>\n\
         <label class=\"wide\">Path <input name=\"path\" required placeholder=\"/accounts/7/charges\" spellcheck=\"false\"></label>\n\
         <label class=\"wide\">Key, without quotes <input name=\"key\" required spellcheck=\"false\"></label>\n\
         <label>Callers are told apart by <select name=\"scope\">{scopes}</select></label>\n\
         <label class=\"wide\">Caller <input name=\"caller\" spellcheck=\"false\"></label>\n\
         <label>Host, if scopes are per host <input name=\"host\" spellcheck=\"false\"></label>\n\
         <button>Search</button>\n</form>\n</section>\n"
    )
}

pub(super) fn record(
    base: &str,
    id: &RecordId,
    record: Option<&Record>,
    came_to: Option<&str>,
) -> HttpResponse {
    let mut body = told(came_to);
    let Some(record) = record else {
        body.push_str("<p class=\"none\">Nothing is kept under exactly this caller, method, path and key: check each of \
                       them. A request of that name would run.</p>\n");
        _ = writeln!(body, "<dl><dt>Record</dt><dd class=\"id\">{id}</dd></dl>");
        return document(base, StatusCode::OK, "No record", &body);
    };
    let attempt = &record.attempt;
    let (title, says, actions): (_, _, &[Action]) = match &record.state {
        State::Unknown { .. } => (
            "Outcome unknown",
            "Its owner is gone. Find out in your own systems whether it took effect, then decide.",
            &[Action::Happened, Action::NotHappened, Action::Forget],
        ),
        State::InFlight => (
            "In flight",
            "Its owner is alive, and nothing can be decided.",
            &[],
        ),
        State::Finished(Finished::Completed(_)) => (
            "Answered",
            "Retries are answered what is recorded.",
            &[Action::Forget],
        ),
        State::Finished(_) => (
            "Answered, not kept",
            "It ended, and its answer was not kept: retries are told so.",
            &[Action::Forget],
        ),
    };
    _ = writeln!(body, "<p>{says}</p>");
    body.push_str(&facts(id, record));
    body.push_str(&buttons(base, id, attempt, actions));
    document(base, StatusCode::OK, title, &body)
}

pub(super) fn unreadable(base: &str, id: &RecordId, came_to: Option<&str>) -> HttpResponse {
    let mut body = told(came_to);
    _ = writeln!(
        body,
        "<p>What is stored cannot be read: it is damaged, sealed by another key, or of a newer version. Requests with its \
         key are refused.</p>\n<dl><dt>Record</dt><dd class=\"id\">{id}</dd></dl>"
    );
    body.push_str(&buttons(
        base,
        id,
        &AttemptId::UNREADABLE,
        &[Action::Forget],
    ));
    document(base, StatusCode::OK, "Unreadable", &body)
}

fn facts(id: &RecordId, record: &Record) -> String {
    let mut facts = String::from("<dl>\n");
    let mut fact = |name: &str, text: &str| {
        _ = writeln!(facts, "<dt>{name}</dt><dd>{}</dd>", Text(text));
    };
    if let Some(description) = &record.description {
        fact("Method", description.method().as_str());
        fact("Route", description.route().unwrap_or("none that is known"));
        if let Some(label) = description.label() {
            fact("Label", label);
        }
        fact("Begun", &HttpDate::from(description.asked_at()).to_string());
    }
    if let State::Finished(Finished::Completed(response)) = &record.state {
        fact("Answer", &response.status().to_string());
    }
    fact("Generation", &record.attempt.generation().to_string());
    fact("Attempt", &record.attempt.to_string());
    fact("Record", &id.to_string());
    facts + "</dl>\n"
}

fn buttons(base: &str, id: &RecordId, attempt: &AttemptId, actions: &[Action]) -> String {
    let home = encoded(base);
    let links = actions.iter().map(|action| {
        let (name, text) = (action.name(), words(*action).0);
        format!("<a class=\"button {name}\" href=\"{home}/records/{id}/{name}?attempt={attempt}\">{text}</a>\n")
    });
    match actions {
        [] => String::new(),
        _ => format!(
            "<nav class=\"actions\" aria-label=\"Decide\">\n{}</nav>\n",
            links.collect::<String>()
        ),
    }
}

/// What a button says, what it means, and what confirms it.
fn words(action: Action) -> (&'static str, &'static str, &'static str) {
    match action {
        Action::Happened => (
            "It happened",
            "The operation took effect. From now on every retry is given the answer below, and nothing runs again.",
            "Yes, it happened",
        ),
        Action::NotHappened => (
            "It did not",
            "The operation took no effect, and never will. The next retry runs. If it did take effect after all, it takes \
             effect twice.",
            "Yes, it did not happen",
        ),
        Action::Forget => (
            "Forget",
            "The record is removed, whatever happened. The next request with this key runs as if it were the first.",
            "Yes, forget it",
        ),
    }
}

pub(super) fn confirmation(
    base: &str,
    id: &RecordId,
    action: Action,
    attempt: &AttemptId,
) -> HttpResponse {
    let home = encoded(base);
    let (title, means, confirms) = words(action);
    let (name, short) = (action.name(), &id.to_string()[..8]);
    let answer = match action {
        Action::Happened => {
            "<label>Status <input name=\"status\" type=\"number\" min=\"200\" max=\"599\" value=\"201\" required></label>\n\
             <label>Content type <input name=\"content_type\" placeholder=\"application/json\" spellcheck=\"false\"></label>\n\
             <label class=\"wide\">Body <textarea name=\"body\" rows=\"6\" spellcheck=\"false\"></textarea></label>\n"
        }
        Action::NotHappened | Action::Forget => "",
    };
    let body = format!(
        "<p>{means}</p>\n<p class=\"hint\">It may take half a lease, until it is sure that the owner is gone.</p>\n\
         <form method=\"post\" action=\"{home}/records/{id}/{name}\" autocomplete=\"off\">\n\
         <input type=\"hidden\" name=\"attempt\" value=\"{attempt}\">\n{answer}\
         <label class=\"wide\">Reason, for the log <input name=\"reason\" maxlength=\"500\"></label>\n\
         <div class=\"actions\"><button class=\"{name}\">{confirms}</button>\n\
         <a class=\"button\" href=\"{home}/records/{id}\">Back</a></div>\n</form>\n"
    );
    document(
        base,
        StatusCode::OK,
        &format!("{title}: record {short}"),
        &body,
    )
}

/// What a decision came to.
fn told(came_to: Option<&str>) -> String {
    let (class, text) = match came_to {
        Some("happened") => (
            "done",
            "Decided: it happened. Retries are given the answer.",
        ),
        Some("not-happened") => ("done", "Decided: it did not happen. The next retry runs."),
        Some("forget") => ("done", "Forgotten. The next request with its key runs."),
        Some("refused") => (
            "refused",
            "Nothing was decided: the record is not the attempt that you saw any more. This is how it is now.",
        ),
        _ => return String::new(),
    };
    format!("<p class=\"{class}\" role=\"status\">{text}</p>\n")
}

pub(super) fn unavailable(base: &str) -> HttpResponse {
    let text = "The store did not answer. What was asked for may have been done: look again.";
    mistake(base, StatusCode::SERVICE_UNAVAILABLE, text)
}

/// A form of another site's.
pub(super) fn foreign(base: &str) -> HttpResponse {
    let text = "The form did not come from this page, so nothing was done.";
    mistake(base, StatusCode::FORBIDDEN, text)
}

pub(super) fn no_page(base: &str) -> HttpResponse {
    mistake(base, StatusCode::NOT_FOUND, "There is no such page.")
}

pub(super) fn mistake(base: &str, status: StatusCode, text: &str) -> HttpResponse {
    let body = format!("<p class=\"refused\" role=\"alert\">{}</p>\n", Text(text));
    document(base, status, "Not done", &body)
}

fn place(description: &Description) -> String {
    let (method, route) = (description.method().as_str(), description.route());
    format!(
        "<span class=\"place\"><b>{}</b> {}</span>",
        Text(method),
        Text(route.unwrap_or("no known route"))
    )
}

fn label(description: &Description) -> String {
    let label = description.label().unwrap_or_default();
    match label.is_empty() {
        true => String::new(),
        false => format!("<span class=\"label\">{}</span>", Text(label)),
    }
}

fn ago(time: Duration) -> String {
    let (seconds, text) = (time.as_secs(), |n: u64, unit| format!("{n} {unit}"));
    match seconds {
        0..120 => text(seconds, "s"),
        120..7_200 => text(seconds / 60, "min"),
        7_200..172_800 => text(seconds / 3_600, "h"),
        _ => text(seconds / 86_400, "days"),
    }
}
