//! The option by which an application edits a replay on its way out. It does not know what marks one.

use std::any::TypeId;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use super::provided::By;

/// A function that edits a replay.
#[diagnostic::on_unimplemented(
    message = "the option `on_replay` cannot take this function",
    label = "expected a function that edits a replay",
    note = "expected `fn(&HttpRequest, &[u8], HttpResponse<Bytes>) -> HttpResponse<Bytes>`",
    note = "with the body of the retry, and the replay with its body"
)]
pub trait ReplayFn: Send + Sync {
    /// Edits it.
    fn edit(
        &self,
        request: &HttpRequest,
        body: &[u8],
        replay: HttpResponse<Bytes>,
    ) -> HttpResponse<Bytes>;

    /// Tells one function from another.
    fn kind(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<Self>()
    }
}

#[diagnostic::do_not_recommend]
impl<F> ReplayFn for By<F, ()>
where
    F: Fn(&HttpRequest, &[u8], HttpResponse<Bytes>) -> HttpResponse<Bytes> + Send + Sync,
{
    fn edit(
        &self,
        request: &HttpRequest,
        body: &[u8],
        replay: HttpResponse<Bytes>,
    ) -> HttpResponse<Bytes> {
        (self.0)(request, body, replay)
    }
}
