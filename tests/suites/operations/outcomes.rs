//! What is told of each request: to the application, to middleware around the layer, and in the log.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpRequest, HttpResponse, Responder, post, web};
use futures_util::stream;
use idempotency_actix::{
    Idempotency, IdempotencyBuilder, KeyScope, NotExecuted, OnUnknown, Outcome, OutcomeEvent,
    RecordHash, idempotent,
};
use idempotency_actix_tests::app::{Call, Counter, DOWN, FaultyStore, Gate, Mode, Site};
use idempotency_actix_tests::{
    Client, Request, Response, eventually, in_both_modes, incidents, log,
};

in_both_modes! {
    a_first_request_and_its_replay_are_told
    a_request_that_waits_tells_for_how_long
    a_stream_is_told_at_its_end
    an_answer_that_is_not_kept_is_an_outcome_of_its_own
    refusals_tell_their_reason
    an_unknown_outcome_and_its_next_generation_are_told
    what_was_not_executed_is_told_as_released
    a_handler_that_panics_is_an_incident
    what_outlives_its_client_is_told
    an_unstored_answer_is_told_once
    a_function_that_panics_changes_nothing
    a_refusal_that_is_the_applications_is_said_once_a_route
    a_scope_that_panics_or_refuses_is_told_once
}

/// An event that was told, with what a test compares of it.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    outcome: Outcome,
    problem: Option<&'static str>,
    route: Option<String>,
    record: Option<RecordHash>,
    generation: Option<u64>,
    has_age: bool,
    waited: Option<Duration>,
    ran: Option<Duration>,
}

impl Told {
    fn of(event: &OutcomeEvent<'_>) -> Self {
        assert_eq!(event.method, "POST");
        Self {
            outcome: event.outcome,
            problem: event.problem,
            route: event.route.map(str::to_owned),
            record: event.record,
            generation: event.generation,
            has_age: event.age.is_some(),
            waited: event.waited,
            ran: event.ran,
        }
    }

    fn essence(&self) -> (Outcome, Option<&'static str>, Option<u64>) {
        (self.outcome, self.problem, self.generation)
    }
}

/// An application whose events are kept.
struct Watched {
    site: Site,
    store: FaultyStore,
    layer: Idempotency,
    gate: Gate,
    told: Arc<Mutex<Vec<Told>>>,
    /// What middleware around the layer saw of each answer.
    seen: Arc<Mutex<Vec<Option<Outcome>>>>,
    path: &'static str,
}

async fn act(request: HttpRequest, runs: Counter, gate: Gate) -> HttpResponse {
    let run = runs.next();
    let mut answer = HttpResponse::Created();
    match request.headers().get("x-act").map(|act| act.as_bytes()) {
        Some(b"wait") => gate.pass().await,
        Some(b"panic") => panic!("as asked"),
        Some(b"not-executed") => {
            return NotExecuted(answer.finish()).respond_to(&request);
        }
        Some(b"large") => return answer.body("x".repeat(2_000)),
        Some(b"stream") => {
            return answer.streaming(stream::once(async move {
                gate.pass().await;
                Ok::<_, Error>("late".into())
            }));
        }
        _ => {}
    }
    answer.body(format!("run {run}"))
}

#[post("/marked/{id}")]
#[idempotent]
async fn take(request: HttpRequest, runs: Counter, gate: Gate) -> HttpResponse {
    act(request, runs, gate).await
}

#[post("/plain/{id}")]
async fn take_plain(request: HttpRequest, runs: Counter, gate: Gate) -> HttpResponse {
    act(request, runs, gate).await
}

async fn see(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let seen = request.app_data::<web::Data<Arc<Mutex<Vec<Option<Outcome>>>>>>();
    let seen = seen.cloned().expect("a list");
    let response = next.call(request).await?;
    let outcome = response.response().extensions().get::<Outcome>().copied();
    seen.lock().unwrap().push(outcome);
    Ok(response)
}

impl Watched {
    fn new(
        mode: Mode,
        store: FaultyStore,
        options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
    ) -> Self {
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let events = Arc::clone(&told);
        let layer = Idempotency::builder(store.clone(), KeyScope::everyone())
            .max_response(1_000)
            .on_outcome(move |event| events.lock().unwrap().push(Told::of(event)));
        let layer = match mode {
            Mode::Marked => options(layer),
            Mode::AllRoutes => options(layer).all_routes(),
        };
        let layer = layer.build().expect("options that can hold");
        let (gate, seen) = (Gate::closed(), Arc::<Mutex<Vec<_>>>::default());
        let (inner, around) = (gate.clone(), web::Data::new(Arc::clone(&seen)));
        let of_site = layer.clone();
        let site = Site::serve(move |runs| {
            App::new()
                .app_data(runs)
                .app_data(inner.clone())
                .app_data(around.clone())
                .wrap(of_site.clone())
                .wrap(from_fn(see))
                .service(web::scope("/v1").service(take).service(take_plain))
        });
        Self {
            site,
            store,
            layer,
            gate,
            told,
            seen,
            path: match mode {
                Mode::Marked => "/v1/marked/1",
                Mode::AllRoutes => "/v1/plain/1",
            },
        }
    }

    fn plain(mode: Mode) -> Self {
        Self::new(mode, FaultyStore::default(), |layer| layer)
    }

    fn request(&self, key: &str, act: &str) -> Request {
        let request = Request::post(self.path).header("x-act", act);
        request.key(key).body("100 EUR")
    }

    fn send(&self, key: &str, act: &str) -> Response {
        self.site.send(self.request(key, act))
    }

    fn ask(&self, key: &str, act: &str) -> Client {
        let mut client = self.site.connect();
        client.send(&self.request(key, act));
        client
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// These events were told, each once, in that order.
    #[track_caller]
    fn assert_told(&self, events: &[(Outcome, Option<&'static str>, Option<u64>)]) {
        eventually("as many events", || self.told().len() >= events.len());
        let told = self.told();
        let essences: Vec<_> = told.iter().map(Told::essence).collect();
        assert_eq!(essences, events);
    }

    /// Middleware around the layer saw these outcomes.
    #[track_caller]
    fn assert_seen(&self, outcomes: &[Option<Outcome>]) {
        assert_eq!(*self.seen.lock().unwrap(), outcomes);
    }

    fn pattern(&self) -> String {
        self.path.replace('1', "{id}").replacen("v{id}", "v1", 1)
    }
}

fn a_first_request_and_its_replay_are_told(mode: Mode) {
    let site = Watched::plain(mode);
    assert_eq!(site.send("k", "").status, 201);
    assert!(site.send("k", "").is_replay());
    site.assert_told(&[
        (Outcome::First, None, Some(1)),
        (Outcome::Replayed, None, None),
    ]);
    let [first, replay] = &site.told()[..] else {
        panic!("two events");
    };
    assert!(first.ran.is_some() && !first.has_age && first.waited.is_none());
    assert!(replay.ran.is_none() && replay.has_age && replay.waited.is_none());
    for event in [first, replay] {
        assert_eq!(event.route, Some(site.pattern()));
        assert_eq!(event.record, Some(site.store.id().hash()));
    }
    site.assert_seen(&[Some(Outcome::First), Some(Outcome::Replayed)]);
}

fn a_request_that_waits_tells_for_how_long(mode: Mode) {
    let wait = |layer: IdempotencyBuilder| layer.wait(Duration::from_secs(60));
    let site = Watched::new(mode, FaultyStore::default(), wait);
    let mut first = site.ask("k", "wait");
    site.site.runs.wait_for(1);
    let mut retry = site.ask("k", "wait");
    eventually("a waiter", || site.layer.in_flight().waiters == 1);
    site.gate.open();
    first.receive();
    assert!(retry.receive().is_replay());
    let told = site.told();
    let replay = told.iter().find(|it| it.outcome == Outcome::Replayed);
    assert!(replay.expect("a replay").waited.is_some(), "{told:?}");
    let first = told.iter().find(|it| it.outcome == Outcome::First);
    assert!(first.expect("a first run").waited.is_none(), "{told:?}");
}

fn a_stream_is_told_at_its_end(mode: Mode) {
    let site = Watched::plain(mode);
    let mut client = site.ask("k", "stream");
    assert_eq!(client.receive_head().unwrap().status, 201);
    site.assert_told(&[]);
    site.assert_seen(&[Some(Outcome::First)]);
    site.gate.open();
    site.assert_told(&[(Outcome::First, None, Some(1))]);
}

fn an_answer_that_is_not_kept_is_an_outcome_of_its_own(mode: Mode) {
    let site = Watched::plain(mode);
    assert_eq!(site.send("k", "large").status, 201);
    assert_eq!(site.send("k", "large").status, 410);
    let not_kept = Some("response-not-kept");
    site.assert_told(&[
        (Outcome::FirstNotKept, None, Some(1)),
        (Outcome::NotKept, not_kept, None),
    ]);
    site.assert_seen(&[Some(Outcome::FirstNotKept), Some(Outcome::NotKept)]);
}

fn refusals_tell_their_reason(mode: Mode) {
    let site = Watched::new(mode, FaultyStore::default(), |layer| layer.required(true));
    site.site.send(Request::post(site.path));
    site.send("\"", "");
    let first = site.ask("k", "wait");
    site.site.runs.wait_for(1);
    site.send("k", "wait");
    site.site.send(site.request("k", "wait").body("other"));
    site.store.always(Call::Begin, DOWN);
    site.send("new", "");
    let route = Some(site.pattern());
    let told = site.told();
    let essences: Vec<_> = told.iter().map(|it| (it.outcome, it.problem)).collect();
    assert_eq!(
        essences,
        [
            (Outcome::Rejected, Some("missing-key")),
            (Outcome::Rejected, Some("invalid-key")),
            (Outcome::InFlight, Some("in-flight")),
            (Outcome::Mismatch, Some("key-reused")),
            (Outcome::Rejected, Some("store-unavailable")),
        ]
    );
    assert!(told.iter().all(|it| it.route == route), "{told:?}");
    assert!(told[..2].iter().all(|it| it.record.is_none()));
    assert!(told[2..].iter().all(|it| it.record.is_some()));
    site.gate.open();
    drop(first);
}

fn an_unknown_outcome_and_its_next_generation_are_told(mode: Mode) {
    let lease = Duration::from_millis(300);
    let (store, clock) = FaultyStore::and_clock();
    let site = Watched::new(mode, store, |layer| {
        layer.lease(lease).on_unknown(OnUnknown::Rerun)
    });
    site.store.always(Call::Complete, DOWN);
    site.store.always(Call::Renew, DOWN);
    site.send("k", "");
    clock.advance(2 * lease);
    let mut answer = site.send("k", "");
    eventually("a second run", || {
        answer = site.send("k", "");
        answer.status != 409
    });
    assert_eq!(answer.status, 201);
    let told = site.told();
    assert_eq!(told[0].essence(), (Outcome::First, None, Some(1)));
    let last = told.last().expect("events");
    assert_eq!(last.essence(), (Outcome::First, None, Some(2)));
    let between = &told[1..told.len() - 1];
    assert!(
        between.iter().all(|it| it.outcome == Outcome::InFlight),
        "{told:?}"
    );
}

fn what_was_not_executed_is_told_as_released(mode: Mode) {
    let site = Watched::plain(mode);
    site.send("k", "not-executed");
    site.send("k", "not-executed");
    site.assert_told(&[
        (Outcome::Released, None, Some(1)),
        (Outcome::Released, None, Some(1)),
    ]);
    site.assert_seen(&[Some(Outcome::Released), Some(Outcome::Released)]);
}

fn a_handler_that_panics_is_an_incident(mode: Mode) {
    incidents::start();
    let before = incidents::count("panicked");
    let site = Watched::plain(mode);
    assert_eq!(site.send("k", "panic").status, 500);
    site.assert_told(&[(Outcome::First, None, Some(1))]);
    assert!(incidents::count("panicked") > before);
}

fn what_outlives_its_client_is_told(mode: Mode) {
    let site = Watched::plain(mode);
    let client = site.ask("k", "wait");
    site.site.runs.wait_for(1);
    client.reset();
    eventually("a detached run", || site.layer.in_flight().detached == 1);
    site.gate.open();
    site.assert_told(&[(Outcome::First, None, Some(1))]);
}

fn an_unstored_answer_is_told_once(mode: Mode) {
    let site = Watched::plain(mode);
    site.store.always(Call::Complete, DOWN);
    assert_eq!(
        site.send("k", "").header("idempotency-status"),
        Some("unstored")
    );
    site.store.heal(Call::Complete);
    eventually("its record", || site.layer.in_flight().waiting_answers == 0);
    site.assert_told(&[(Outcome::First, None, Some(1))]);
    site.assert_seen(&[Some(Outcome::First)]);
}

fn a_function_that_panics_changes_nothing(mode: Mode) {
    let site = Watched::new(mode, FaultyStore::default(), |layer| {
        layer.on_outcome(|_| panic!("as asked"))
    });
    assert_eq!(site.send("k", "").text(), "run 1");
    assert!(site.send("k", "").is_replay());
    site.assert_seen(&[Some(Outcome::First), Some(Outcome::Replayed)]);
}

fn a_refusal_that_is_the_applications_is_said_once_a_route(mode: Mode) {
    log::listen();
    let nobody = KeyScope::by(|_: &HttpRequest| None::<String>);
    let layer = Idempotency::builder(FaultyStore::default(), nobody);
    let (layer, path) = match mode {
        Mode::Marked => (layer, "/marked/of-nobody"),
        Mode::AllRoutes => (layer.all_routes(), "/plain/of-nobody"),
    };
    let layer = layer.build().expect("options that can hold");
    let inner = Gate::closed();
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .app_data(inner.clone())
            .wrap(layer.clone())
            .service(web::scope("").service(take).service(take_plain))
    });
    let route = path.replace("of-nobody", "{id}");
    let route = format!("route={route:?}");
    for _ in 0..3 {
        assert_eq!(site.send(Request::post(path).key("k")).status, 400);
    }
    let lines = log::lines_with(&["told no caller", &route]);
    assert_eq!(lines.len(), 1, "{lines:?}");
}

fn a_scope_that_panics_or_refuses_is_told_once(mode: Mode) {
    let scope = KeyScope::try_by(|request: &HttpRequest| {
        match request.headers().contains_key("x-caller") {
            true => panic!("as asked"),
            false => Err::<String, _>(actix_web::error::ErrorForbidden("not you")),
        }
    });
    let told: Arc<Mutex<Vec<Told>>> = Arc::default();
    let events = Arc::clone(&told);
    let layer = Idempotency::builder(FaultyStore::default(), scope)
        .on_outcome(move |event| events.lock().unwrap().push(Told::of(event)));
    let (layer, path) = match mode {
        Mode::Marked => (layer, "/marked/1"),
        Mode::AllRoutes => (layer.all_routes(), "/plain/1"),
    };
    let layer = layer.build().expect("options that can hold");
    let inner = Gate::closed();
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .app_data(inner.clone())
            .wrap(layer.clone())
            .service(take)
            .service(take_plain)
    });
    let refused = Request::post(path).key("k");
    assert_eq!(site.send(refused.clone()).status, 403);
    assert_eq!(site.send(refused.header("x-caller", "1")).status, 500);
    let told: Vec<_> = told.lock().unwrap().iter().map(Told::essence).collect();
    assert_eq!(told, [(Outcome::Rejected, None, None); 2]);
    assert_eq!(site.runs.count(), 0);
}
