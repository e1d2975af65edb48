//! The paths of the page, behind the application's guard. What stands on the page is not known here.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::SystemTime;

use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::guard::{Guard, GuardContext};
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{self, Data, Form, FormConfig, Path, Query};
use actix_web::{HttpRequest, HttpResponse};

use super::decision::{Action, Decision};
use super::document::{base_of, encoded, sealed};
use super::origin::is_from_here;
use super::search::searched;
use super::views;
use crate::layer::idempotency::Idempotency;
use crate::store::{Cursor, RecordId, Resolved, StoreErrorKind};

/// How many outcomes a page of the list has.
const PAGE: usize = 50;

/// The most octets of a form: an answer that an operator types.
const MAX_FORM: usize = 256 * 1024;

type Fields = HashMap<String, String>;

/// A page for operators, made by [`Idempotency::operator_page`].
#[must_use = "a page is served by a scope"]
pub struct OperatorPage {
    idempotency: Idempotency,
    guard: Rc<dyn Guard>,
}

impl fmt::Debug for OperatorPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorPage").finish_non_exhaustive()
    }
}

impl Idempotency {
    /// A page on which operators find operations whose outcome is unknown and decide about them: that it happened, and what
    /// its retries are answered; that it did not; or that the record is to be forgotten.
    ///
    /// The guard says who may come; nobody else sees that there is a page (404). There is no default: whoever reaches the
    /// page can have an operation run twice. It is plain HTML and CSS of the page's own, without a script; its policies and
    /// `no-store` are on every answer, and a form that comes from another site is refused (403). Keys and callers are sent in
    /// forms and never stand in an address; every decision is logged with the record's short hash and the reason, if one is
    /// given.
    ///
    /// Serve it in a scope of its own. A layer in [all-routes mode](crate::IdempotencyBuilder::all_routes) that is `required`
    /// needs a table's row that skips it, since browsers send no key.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_web::{App, guard, web};
    /// use idempotency_actix::{Idempotency, KeyScope, MemoryStore};
    ///
    /// /// What the application's sign-in left with the request.
    /// struct Operator;
    ///
    /// let idempotency = Idempotency::new(MemoryStore::new(), KeyScope::everyone());
    /// let app = move || {
    ///     let is_operator = guard::fn_guard(|ctx| ctx.req_data().get::<Operator>().is_some());
    ///     let page = idempotency.operator_page(is_operator);
    ///     App::new().service(web::scope("/idempotency").service(page))
    /// };
    /// # let _ = app;
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "operator")))]
    pub fn operator_page(&self, guard: impl Guard + 'static) -> OperatorPage {
        OperatorPage {
            idempotency: self.clone(),
            guard: Rc::new(guard),
        }
    }
}

/// The same guard for each path.
struct Shared(Rc<dyn Guard>);

impl Guard for Shared {
    fn check(&self, ctx: &GuardContext<'_>) -> bool {
        self.0.check(ctx)
    }
}

impl HttpServiceFactory for OperatorPage {
    fn register(self, config: &mut AppService) {
        let desk = Data::new(self.idempotency);
        let at = |path: &str| {
            web::resource(path)
                .guard(Shared(Rc::clone(&self.guard)))
                .app_data(desk.clone())
                .app_data(FormConfig::default().limit(MAX_FORM))
        };
        at("").route(web::get().to(list)).register(config);
        at("/").route(web::get().to(list)).register(config);
        at("/style.css")
            .route(web::get().to(style))
            .register(config);
        at("/search").route(web::post().to(search)).register(config);
        at("/records/{id}")
            .route(web::get().to(show))
            .register(config);
        at("/records/{id}/{action}")
            .route(web::get().to(ask))
            .route(web::post().to(decide))
            .register(config);
    }
}

async fn list(
    request: HttpRequest,
    idempotency: Data<Idempotency>,
    query: Query<Fields>,
) -> HttpResponse {
    let base = base_of(&request, "");
    let after = query.get("after").map(|text| text.parse::<Cursor>());
    let Ok(after) = after.transpose() else {
        return views::mistake(
            &base,
            StatusCode::BAD_REQUEST,
            "This is no page of the list.",
        );
    };
    match idempotency.unknown_outcomes(after.as_ref(), PAGE).await {
        Ok(page) => views::list(&base, &page, after.is_some(), SystemTime::now()),
        Err(error) if error.kind() == StoreErrorKind::Unsupported => views::unlisted(&base),
        Err(_) => views::unavailable(&base),
    }
}

async fn style() -> HttpResponse {
    sealed(HttpResponse::Ok())
        .content_type("text/css; charset=utf-8")
        .body(include_str!("style.css"))
}

async fn search(request: HttpRequest, fields: Form<Fields>) -> HttpResponse {
    let base = base_of(&request, "/search");
    if !is_from_here(&request) {
        return views::foreign(&base);
    }
    match searched(&fields) {
        Ok(id) => see_other(&format!("{base}/records/{id}")),
        Err(mistake) => views::mistake(&base, StatusCode::BAD_REQUEST, mistake),
    }
}

async fn show(
    request: HttpRequest,
    idempotency: Data<Idempotency>,
    id: Path<String>,
    query: Query<Fields>,
) -> HttpResponse {
    let base = base_of(&request, "/records/");
    let Ok(id) = id.parse::<RecordId>() else {
        return views::no_page(&base);
    };
    let came_to = query.get("done").map(String::as_str);
    match idempotency.inspect(&id).await {
        Ok(record) => views::record(&base, &id, record.as_ref(), came_to),
        Err(error) if error.kind() == StoreErrorKind::Unreadable => {
            views::unreadable(&base, &id, came_to)
        }
        Err(_) => views::unavailable(&base),
    }
}

/// Asks for a confirmation, about the attempt that was shown.
async fn ask(
    request: HttpRequest,
    path: Path<(String, String)>,
    query: Query<Fields>,
) -> HttpResponse {
    let base = base_of(&request, "/records/");
    let attempt = query.get("attempt").and_then(|text| text.parse().ok());
    match (
        path.0.parse::<RecordId>(),
        path.1.parse::<Action>(),
        attempt,
    ) {
        (Ok(id), Ok(action), Some(attempt)) => views::confirmation(&base, &id, action, &attempt),
        _ => views::no_page(&base),
    }
}

async fn decide(
    request: HttpRequest,
    idempotency: Data<Idempotency>,
    path: Path<(String, String)>,
    fields: Form<Fields>,
) -> HttpResponse {
    let base = base_of(&request, "/records/");
    if !is_from_here(&request) {
        return views::foreign(&base);
    }
    let (Ok(id), Ok(action)) = (path.0.parse::<RecordId>(), path.1.parse::<Action>()) else {
        return views::no_page(&base);
    };
    let decision = match Decision::of(action, fields.into_inner()) {
        Ok(decision) => decision,
        Err(mistake) => return views::mistake(&base, StatusCode::BAD_REQUEST, mistake),
    };
    decision.log(&id);
    let came_to = match decision.carry_out(&idempotency, &id).await {
        Ok(Resolved::Done) => action.name(),
        Ok(Resolved::Refused) => "refused",
        Err(_) => return views::unavailable(&base),
    };
    see_other(&format!("{base}/records/{id}?done={came_to}"))
}

/// So that a page which is loaded again decides nothing again.
fn see_other(to: &str) -> HttpResponse {
    sealed(HttpResponse::SeeOther())
        .insert_header((LOCATION, encoded(to)))
        .finish()
}
