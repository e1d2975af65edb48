//! A replay as the application edits it on its way out. It does not know where the record came from.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use super::capture::set_body;
use super::failure::{AsError, caught};
use super::replay::{IDEMPOTENT_REPLAYED, drop_marks, mark_replayed};
use crate::options::Options;
use crate::telemetry::Outcome;

/// The answer as the route edits it, if it is a replay. Its marks stay.
pub(crate) fn edited(
    mut answer: HttpResponse,
    request: &HttpRequest,
    body: &[u8],
    options: &Options,
) -> HttpResponse {
    let Some(edit) = &options.on_replay else {
        return answer;
    };
    if !answer.headers().contains_key(IDEMPOTENT_REPLAYED) {
        return answer;
    }
    let is_error = AsError::is_marked(&answer);
    let is_bodiless = answer.body().size() == BodySize::None;
    let Ok(octets) = set_body(&mut answer, BoxBody::new(())).try_into_bytes() else {
        return answer;
    };
    let replay = answer.map_body(|_, _| octets);
    let edited = match caught(|| edit.edit(request, body, replay)) {
        Ok(edited) => edited,
        Err(answer) => return *answer,
    };
    let mut edited = edited.map_body(|_, body: Bytes| match is_bodiless && body.is_empty() {
        true => BoxBody::new(actix_web::body::None::new()),
        false => BoxBody::new(body),
    });
    drop_marks(edited.headers_mut());
    let headers = edited.headers_mut();
    // That of another body, perhaps.
    headers.remove(CONTENT_LENGTH);
    mark_replayed(headers, options);
    if is_error {
        AsError::mark(&mut edited);
    }
    edited.extensions_mut().insert(Outcome::Replayed);
    edited
}
