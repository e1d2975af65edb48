//! What an operator decides on the page, as its form tells. How it is shown is not known here.

use std::collections::HashMap;
use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};

use crate::layer::idempotency::Idempotency;
use crate::options::Recovery;
use crate::store::{AttemptId, RecordId, Resolved, StoreError};

/// The most characters of a reason that are logged.
const MAX_REASON: usize = 500;

/// A button of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Happened,
    NotHappened,
    Forget,
}

impl Action {
    /// As it stands in a path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Happened => "happened",
            Self::NotHappened => "not-happened",
            Self::Forget => "forget",
        }
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let all = [Self::Happened, Self::NotHappened, Self::Forget];
        all.into_iter().find(|it| it.name() == name).ok_or(())
    }
}

/// What is to become of the attempt that the operator saw.
pub(super) struct Decision {
    action: Action,
    attempt: AttemptId,
    reason: String,
    /// Of what happened.
    answer: Option<HttpResponse>,
}

impl Decision {
    pub(super) fn of(
        action: Action,
        mut fields: HashMap<String, String>,
    ) -> Result<Self, &'static str> {
        let mut field = |name: &str| fields.remove(name).unwrap_or_default();
        let attempt = field("attempt").parse();
        let attempt = attempt.map_err(|_| "The form does not say which attempt it is about.")?;
        let reason = field("reason");
        let printable = reason.trim().chars().filter(|char| !char.is_control());
        let answer = match action {
            Action::Happened => {
                let (status, body) = (field("status"), field("body"));
                Some(answer(status.trim(), field("content_type").trim(), body)?)
            }
            Action::NotHappened | Action::Forget => None,
        };
        Ok(Self {
            action,
            attempt,
            reason: printable.take(MAX_REASON).collect(),
            answer,
        })
    }

    /// The reason is an operator's own word, and is what a log is for.
    pub(super) fn log(&self, id: &RecordId) {
        let (action, reason) = (self.action.name(), &self.reason);
        tracing::info!(action, record = ?id, attempt = ?self.attempt, reason, "an operator decides on the page");
    }

    pub(super) async fn carry_out(
        self,
        idempotency: &Idempotency,
        id: &RecordId,
    ) -> Result<Resolved, StoreError> {
        let finding = match (self.action, self.answer) {
            (Action::Forget, _) => return idempotency.forget(id, &self.attempt).await,
            (_, Some(answer)) => Recovery::Completed(answer),
            (_, None) => Recovery::NotExecuted,
        };
        idempotency.resolve(id, &self.attempt, finding).await
    }
}

/// What retries are answered from now on.
fn answer(status: &str, content_type: &str, body: String) -> Result<HttpResponse, &'static str> {
    let status = status
        .parse()
        .ok()
        .filter(|code| (200..=599).contains(code));
    let status = status.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or("A status is a number from 200 to 599.")?;
    let mut answer = HttpResponse::build(status);
    if !content_type.is_empty() {
        let value = HeaderValue::from_str(content_type);
        let value = value.map_err(|_| "This is no content type.")?;
        answer.insert_header((CONTENT_TYPE, value));
    }
    Ok(match body.is_empty() {
        true => answer.finish(),
        // The line ends of a form are a browser's.
        false => answer.body(body.replace("\r\n", "\n")),
    })
}
