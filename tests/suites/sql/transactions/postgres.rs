//! A bank on PostgreSQL, and what only a server can do to it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{App, HttpRequest, HttpResponse, post};
use idempotency_actix::store::Store;
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, idempotent};
use idempotency_actix_sqlx::sqlx::postgres::PgConnectOptions;
use idempotency_actix_sqlx::sqlx::{self, AssertSqlSafe, Executor, PgConnection, Row, raw_sql};
use idempotency_actix_sqlx::{PgStore, PgStoreBuilder, PgTx, SqlConfigError, SqlError};
use idempotency_actix_tests::app::{Counter, Gate, Site};
use idempotency_actix_tests::postgres::{Cut, PgBouncer, PgServer, Wire};
use idempotency_actix_tests::{
    Request, assert_first, assert_in_flight, assert_problem, assert_replay, eventually, incidents,
};

use super::bank::{Bank, Charges, asking, header, request};
use super::outcomes::{assert_ended, executing};
use crate::http::now;
use crate::records::AMPLE;

bank!(
    on_postgres,
    idempotency_actix_sqlx::PgTx,
    "SELECT no_such_function()",
    super::undone
);

/// As by a serialization failure.
async fn undone(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = "DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '40001'; END $$";
    connection.execute(raw_sql(sql)).await?;
    Ok(())
}

/// A bank on the shared server.
pub(super) fn bank() -> Bank {
    let server = PgServer::shared();
    open(server, server.options(), AMPLE)
}

/// The same over a store that the layer was given behind a pointer.
pub(super) fn shared_bank() -> Bank {
    let server = PgServer::shared();
    let tables = Tables::new(server);
    let store = now(async { tables.builder(server, server.options(), AMPLE).build() });
    let store = Arc::new(store.expect("options that hold"));
    now(store.migrate()).expect("a table");
    tables.bank_over(server, store, AMPLE)
}

/// The routes of a bank in one layer with options of choice.
pub(super) fn site(with: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder) -> Site {
    let server = PgServer::shared();
    let tables = Tables::new(server);
    let store = now(async { tables.builder(server, server.options(), AMPLE).build() });
    let store = store.expect("options that hold");
    now(store.migrate()).expect("a table");
    let layer = Idempotency::builder(store, KeyScope::everyone()).lease(3 * AMPLE);
    let layer = with(layer).build().expect("options that hold");
    Site::new(layer, move |config| {
        config
            .app_data(Gate::closed())
            .app_data(Data::new(Charges(tables.charges.clone())))
            .configure(on_postgres::routes);
    })
}

/// The place of a bank: its charges and its records.
struct Tables {
    charges: String,
    records: String,
}

impl Tables {
    /// Rows trip over their traps at the commit.
    fn new(server: &PgServer) -> Self {
        let records = server.fresh_name();
        let charges = format!("{records}_charges");
        now(server.execute(&format!(
            "CREATE TABLE {charges} (id bigserial, note text, run int, trap text); \
             CREATE FUNCTION {charges}_trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.trap <> '' THEN RAISE EXCEPTION 'trapped' USING ERRCODE = NEW.trap; END IF; \
             RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON {charges} \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {charges}_trap();"
        )));
        Self { charges, records }
    }

    fn builder(
        &self,
        server: &PgServer,
        options: PgConnectOptions,
        timeout: Duration,
    ) -> PgStoreBuilder {
        let pool = server.pool_with(8, options);
        PgStore::builder(pool).table(&self.records).timeout(timeout)
    }

    fn bank(self, server: &'static PgServer, options: PgConnectOptions, timeout: Duration) -> Bank {
        let store = now(async { self.builder(server, options, timeout).build() });
        self.bank_on(server, store.expect("options that hold"), timeout)
    }

    fn bank_on(self, server: &'static PgServer, store: PgStore, timeout: Duration) -> Bank {
        now(store.migrate()).expect("a table");
        self.bank_over(server, store, timeout)
    }

    fn bank_over<S: Store + Clone>(
        self,
        server: &'static PgServer,
        store: S,
        timeout: Duration,
    ) -> Bank {
        let build = |store: S| {
            let built = Idempotency::builder(store, KeyScope::everyone()).lease(3 * timeout);
            built.max_response(4_000).window_header("x-window")
        };
        let layers = [
            build(store.clone()),
            build(store.clone()).wait(AMPLE),
            build(store).max_in_flight(1),
        ];
        let layers = layers.map(|layer| layer.build().expect("options that hold"));
        let layer = layers[0].clone();
        let gate = Gate::closed();
        let (kept, charges) = (gate.clone(), Data::new(Charges(self.charges.clone())));
        let site = Site::serve(move |runs| {
            App::new()
                .app_data(runs)
                .app_data(kept.clone())
                .app_data(charges.clone())
                .configure(|config| on_postgres::scopes(config, layers.clone()))
        });
        let Self { charges, records } = self;
        Bank {
            site,
            gate,
            layer,
            counted: Box::new(move |note| {
                let sql = format!("SELECT count(*) FROM {charges} WHERE note = '{note}'");
                now(server.number(&sql))
            }),
            records: Box::new(move || {
                now(server.number(&format!("SELECT count(*) FROM {records}")))
            }),
        }
    }
}

fn open(server: &'static PgServer, options: PgConnectOptions, timeout: Duration) -> Bank {
    Tables::new(server).bank(server, options, timeout)
}

fn behind(wire: &Wire) -> Bank {
    let server = PgServer::shared();
    open(server, server.options().port(wire.port()), AMPLE)
}

#[test]
fn an_error_that_was_passed_over_never_lets_a_success_out() {
    incidents::start();
    let before = incidents::count("commit_refused");
    let bank = bank();
    let first = bank.send(&asking("k", "pass-over"));
    assert_eq!((first.status, first.header("retry-after")), (500, None));
    assert!(incidents::count("commit_refused") > before);
    bank.assert_left("k", 1, 0, 0);
    assert_first(&bank.send(&request("k")), 201, "run 2");
}

#[test]
fn a_commit_that_is_undone_is_run_again_in_place() {
    let bank = bank();
    let asked = request("k")
        .header("x-trap", "40001")
        .header("x-until", "2");
    assert_first(&bank.send(&asked), 201, "run 3");
    bank.assert_left("k", 3, 1, 1);
    assert_replay(&bank.send(&asked), 201, "run 3");
    let asked = request("l").header("x-trap", "40001");
    let answer = bank.send(&asked);
    assert_problem(&answer, 503, "store-unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    bank.assert_left("l", 6, 0, 1);
}

#[test]
fn a_commit_that_the_server_never_saw_is_run_again() {
    incidents::start();
    let wire = Wire::to(PgServer::shared().addr());
    let bank = behind(&wire);
    for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
        let before = incidents::count("commit_unclear");
        wire.cut(Cut::Before);
        let first = bank.send(&request(key));
        assert_first(&first, 201, &format!("run {}", 2 * at + 2));
        assert!(incidents::count("commit_unclear") > before);
        assert_eq!(bank.effects(key), 1);
        assert_replay(&bank.send(&request(key)), 201, &first.text());
    }
    assert_eq!(bank.site.runs.count(), 6);
}

#[test]
fn a_commit_whose_answer_was_lost_is_found() {
    incidents::start();
    let wire = Wire::to(PgServer::shared().addr());
    let bank = behind(&wire);
    for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
        let before = incidents::count("commit_unclear");
        wire.cut(Cut::After);
        let first = bank.send(&request(key));
        assert_first(&first, 201, &format!("run {}", at + 1));
        assert!(incidents::count("commit_unclear") > before);
        assert_eq!(bank.effects(key), 1);
        assert_replay(&bank.send(&request(key)), 201, &first.text());
    }
    assert_eq!(bank.site.runs.count(), 3);
}

/// The server is away for as long as it is asked.
#[test]
fn a_commit_of_which_nothing_is_learnt_is_not_called_undone() {
    let wire = Wire::to(PgServer::shared().addr());
    let bank = behind(&wire);
    wire.cut(Cut::ForGood);
    let first = bank.send(&request("k"));
    assert_problem(&first, 503, "store-unavailable");
    assert_eq!(first.header("retry-after"), Some("1"));
    let text = first.text();
    assert!(
        text.contains("not known yet") && !text.contains("not executed"),
        "{text}"
    );
    wire.mend();
    let mut retry = bank.send(&request("k"));
    eventually("a server that answers", || {
        if retry.status == 503 {
            retry = bank.send(&request("k"));
        }
        retry.status != 503
    });
    assert_replay(&retry, 201, "run 1");
    bank.assert_left("k", 1, 1, 1);
}

#[test]
fn a_lost_answer_to_a_plain_commit_is_no_success() {
    let wire = Wire::to(PgServer::shared().addr());
    let bank = behind(&wire);
    let plain = Request::post("/charges").header("x-note", "none");
    wire.cut(Cut::After);
    let answer = bank.send(&plain);
    assert_problem(&answer, 500, "outcome-unknown");
    assert_eq!((bank.site.runs.count(), bank.effects("none")), (1, 1));
}

#[test]
fn an_owner_past_its_idle_limit_is_told_the_other_attempts_answer() {
    let server = PgServer::shared();
    // Idle for a lease, which is three times of it.
    let bank = open(server, server.options(), Duration::from_millis(700));
    let mut owner = bank.ask(&asking("k", "wait"));
    bank.gate.wait();
    // The server ends the transaction of an owner that does nothing.
    let other = asking("k", "wait");
    let mut retry = None;
    eventually("a run of the retry", || {
        let mut client = bank.ask(&other);
        if bank.site.runs.count() == 2 {
            retry = Some(client);
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
        if bank.site.runs.count() == 2 {
            retry = Some(client);
            return true;
        }
        assert_in_flight(&client.receive());
        false
    });
    bank.gate.open();
    let (one, other) = (owner.receive(), retry.expect("a retry").receive());
    assert_eq!((one.status, other.status), (201, 201), "{one:?} {other:?}");
    assert_eq!(one.body, other.body);
    assert_eq!(bank.effects("k"), 1);
}

#[test]
fn a_row_of_a_plain_handler_in_flight_is_respected() {
    let server = PgServer::shared();
    let tables = Tables::new(server);
    let records = tables.records.clone();
    let bank = tables.bank(server, server.options(), AMPLE);
    assert_first(&bank.send(&request("k")), 201, "run 1");
    // As a plain handler would have left it.
    now(server.execute(&format!(
        "UPDATE {records} SET kind = 1, answer = NULL, lease = 600000000, retention = 900000000"
    )));
    assert_in_flight(&bank.send(&request("k")));
    now(server.execute(&format!("UPDATE {records} SET seen = seen - 700000000")));
    assert_problem(&bank.send(&request("k")), 500, "outcome-unknown");
    bank.assert_left("k", 1, 1, 1);
}

#[test]
fn a_generation_that_is_remembered_is_gone_beyond() {
    let server = PgServer::shared();
    let tables = Tables::new(server);
    let records = tables.records.clone();
    let bank = tables.bank(server, server.options(), AMPLE);
    assert_first(&bank.send(&request("k")), 201, "run 1");
    assert_gone_beyond(server, &records, &bank, &request("k"));
    bank.assert_left("k", 2, 2, 1);
}

/// Has the record be one of which only its generation is remembered, and asks again.
fn assert_gone_beyond(server: &PgServer, records: &str, bank: &Bank, asked: &Request) {
    let nobody = "decode('00000000000000000000000000000000', 'hex')";
    now(server.execute(&format!(
        "UPDATE {records} SET kind = 4, answer = NULL, generation = 7, token = {nobody}"
    )));
    let run = format!("run {}", bank.site.runs.count() + 1);
    assert_first(&bank.send(asked), 201, &run);
    let sql = format!("SELECT max(generation) FROM {records}");
    assert_eq!(now(server.number(&sql)), 8);
    assert_replay(&bank.send(asked), 201, &run);
}

/// A look, BEGIN with the lock and the look behind it, the handler's own statement, the record with COMMIT. Nothing is sent
/// behind the answer.
#[test]
fn a_first_run_takes_three_round_trips_beside_its_own_and_a_replay_one() {
    let wire = Wire::to(PgServer::shared().addr());
    let server = PgServer::shared();
    let tables = Tables::new(server);
    let options = server.options().port(wire.port());
    let store = now(async {
        tables
            .builder(server, options, AMPLE)
            .notifications(false)
            .build()
    });
    let bank = tables.bank_on(server, store.expect("options that hold"), AMPLE);
    let mut client = bank.site.connect();
    let mut of_runs = Vec::new();
    for key in 0..6 {
        let before = wire.trips();
        client.send(&request(&key.to_string()));
        assert_eq!(client.receive().status, 201);
        of_runs.push(wire.trips() - before);
    }
    // A statement is prepared once for each connection.
    assert_eq!(of_runs[3..], [4, 4, 4], "{of_runs:?}");
    let before = wire.trips();
    client.send(&request("5"));
    assert!(client.receive().is_replay());
    assert_eq!(wire.trips() - before, 1);
}

/// A lock that everybody gets, as on an engine whose advisory locks do nothing.
#[test]
fn where_locks_do_nothing_the_key_of_the_record_decides() {
    let server = PgServer::shared();
    let schema = server.fresh_name();
    now(server.execute(&format!(
        "CREATE SCHEMA {schema}; CREATE FUNCTION {schema}.pg_try_advisory_xact_lock(bigint) \
         RETURNS boolean LANGUAGE sql AS 'SELECT true'"
    )));
    let path = format!("public,{schema},pg_catalog");
    let options = server.options().options([("search_path", path)]);
    let tables = Tables::new(server);
    let bank = tables.bank(server, options, AMPLE);
    let asked = asking("k", "wait");
    let mut attempts = [bank.ask(&asked), bank.ask(&asked)];
    bank.site.runs.wait_for(2);
    bank.gate.open();
    let answers = attempts.each_mut().map(|attempt| attempt.receive());
    assert_eq!(answers[0].body, answers[1].body);
    let replays = answers.iter().filter(|answer| answer.is_replay());
    assert_eq!(replays.count(), 1, "{answers:?}");
    bank.assert_left("k", 2, 1, 1);
}

/// Sooner than the server would end one.
#[test]
fn no_connection_is_left_in_a_transaction() {
    let server = PgServer::shared();
    let tables = Tables::new(server);
    let name = tables.records.clone();
    let bank = tables.bank(server, server.options().application_name(&name), AMPLE);
    for key in 0..20 {
        let act = if key % 2 == 0 { "answer" } else { "panic" };
        bank.send(&asking(&key.to_string(), act));
    }
    let of = |state: &str| {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name";
        now(server.number(&format!("{sql} = '{name}' AND state LIKE '{state}'")))
    };
    eventually("no open transaction", || of("idle in transaction%") == 0);
    assert!(of("idle") > 0, "connections by that name");
}

/// Two that read what the other writes: under the database's default both commit, and one after the other would not.
#[test]
fn a_serializable_route_is_run_as_one_after_the_other() {
    #[post("/alone")]
    #[idempotent(transaction = "serializable")]
    async fn alone(
        mut tx: PgTx,
        runs: Counter,
        gate: Gate,
        charges: Data<Charges>,
    ) -> Result<HttpResponse, SqlError> {
        let run = runs.next();
        let table = &charges.0;
        let count = format!("SELECT count(*) FROM {table}");
        let before: i64 = tx.fetch_one(raw_sql(AssertSqlSafe(count))).await?.get(0);
        if run <= 2 {
            gate.pass().await;
        }
        let insert =
            format!("INSERT INTO {table} (note, run, trap) VALUES ('{before}', {run}, '')");
        tx.execute(raw_sql(AssertSqlSafe(insert))).await?;
        Ok(HttpResponse::Created().body(before.to_string()))
    }

    let server = PgServer::shared();
    let tables = Tables::new(server);
    let store = now(async { tables.builder(server, server.options(), AMPLE).build() });
    let store = store.expect("options that hold");
    now(store.migrate()).expect("a table");
    let layer = Idempotency::builder(store, KeyScope::everyone()).lease(3 * AMPLE);
    let layer = layer.build().expect("options that hold");
    let gate = Gate::closed();
    let (kept, charges) = (gate.clone(), Data::new(Charges(tables.charges.clone())));
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .app_data(kept.clone())
            .app_data(charges.clone())
            .wrap(layer.clone())
            .service(alone)
    });
    let mut clients = ["a", "b"].map(|key| {
        let mut client = site.connect();
        client.send(&Request::post("/alone").key(key));
        client
    });
    site.runs.wait_for(2);
    gate.wait();
    gate.wait();
    gate.open();
    let mut answers = clients.each_mut().map(|client| client.receive());
    answers.sort_by_key(|answer| answer.text());
    let told = answers.map(|answer| (answer.status, answer.text()));
    assert_eq!(told, [(201, "0".to_owned()), (201, "1".to_owned())]);
    assert!(site.runs.count() > 2);
}

#[test]
fn a_transaction_that_is_chained_to_the_first_is_another() {
    incidents::start();
    let bank = bank();
    for status in [201, 404, 500] {
        assert_ended(&bank, "COMMIT AND CHAIN", status);
    }
}

#[test]
fn whatever_a_handler_sets_it_stays_the_same_transaction() {
    let bank = bank();
    let settings = [
        "RESET ALL",
        "SET LOCAL bytea_output = 'escape'",
        "SET LOCAL datestyle = 'SQL, DMY'",
        "SET LOCAL timezone = 'Asia/Tokyo'",
        "SET LOCAL standard_conforming_strings = off",
        "SET LOCAL search_path = pg_catalog",
        "SAVEPOINT it; ROLLBACK TO it",
    ];
    for (at, sql) in settings.into_iter().enumerate() {
        let key = at.to_string();
        let (asked, run) = (executing(&key, sql), format!("run {}", at + 1));
        assert_first(&bank.send(&asked), 201, &run);
        assert_replay(&bank.send(&asked), 201, &run);
        bank.assert_left(&key, at + 1, 1, at as i64 + 1);
    }
}

#[test]
fn a_role_that_may_not_record_commits_nothing() {
    let server = PgServer::shared();
    let tables = Tables::new(server);
    let (records, role) = (tables.records.clone(), server.fresh_name());
    let bank = tables.bank(server, server.options(), AMPLE);
    now(server.execute(&format!("CREATE ROLE {role}")));
    let set = format!("SET LOCAL ROLE {role}");
    let answer = bank.send(&executing("k", &set));
    assert_eq!((answer.status, answer.header("retry-after")), (500, None));
    bank.assert_left("k", 1, 0, 0);
    let reset = executing("k", &format!("{set}; RESET ROLE"));
    assert_first(&bank.send(&reset), 201, "run 2");
    assert_replay(&bank.send(&reset), 201, "run 2");
    bank.assert_left("k", 2, 1, 1);
    now(server.execute(&format!("GRANT INSERT ON {records} TO {role}")));
    assert_first(&bank.send(&executing("granted", &set)), 201, "run 3");
}

/// As for a tenant, who may have a table of that name too. What is set for the session is there in later transactions.
#[test]
fn a_record_goes_to_its_table_whatever_path_a_handler_searches() {
    let server = PgServer::shared();
    let tables = Tables::new(server);
    let (records, tenant) = (tables.records.clone(), server.fresh_name());
    let builder = now(async { tables.builder(server, server.options(), AMPLE) });
    let store = builder.connections(1).build().expect("options that hold");
    let bank = tables.bank_on(server, store, AMPLE);
    now(server.execute(&format!(
        "CREATE SCHEMA {tenant}; CREATE TABLE {tenant}.{records} (LIKE {records} INCLUDING ALL)"
    )));
    let local = format!("SET LOCAL search_path = {tenant}");
    let session = format!("SET search_path = {tenant}, public");
    // What was prepared is missed at the commit, so that the handler runs once more.
    let statements = [
        (&*local, 1),
        (&session, 1),
        ("DEALLOCATE ALL", 2),
        (&local, 1),
    ];
    let mut all_runs = 0;
    for (at, (sql, runs)) in statements.into_iter().enumerate() {
        all_runs += runs;
        let (key, run) = (at.to_string(), format!("run {all_runs}"));
        let asked = executing(&key, sql);
        assert_first(&bank.send(&asked), 201, &run);
        assert_replay(&bank.send(&asked), 201, &run);
        bank.assert_left(&key, all_runs, 1, at as i64 + 1);
        assert_gone_beyond(server, &records, &bank, &asked);
        all_runs += 1;
    }
    let sql = format!("SELECT count(*) FROM {tenant}.{records}");
    assert_eq!(now(server.number(&sql)), 0);
}

/// What the server limits statements to, or how one that takes longer ends.
#[post("/limits")]
#[idempotent]
async fn limits(
    mut tx: PgTx,
    runs: Counter,
    request: HttpRequest,
) -> Result<HttpResponse, SqlError> {
    runs.next();
    if header(&request, "x-act") == "sleep" {
        tx.execute(raw_sql("SELECT pg_sleep(600)")).await?;
    }
    let limit = tx.fetch_one(raw_sql("SHOW statement_timeout")).await?;
    Ok(HttpResponse::Ok().body(limit.get::<String, _>(0)))
}

#[test]
fn statements_of_handlers_are_limited_where_that_is_chosen() {
    let server = PgServer::shared();
    let site = |limit: Option<Duration>| {
        let tables = Tables::new(server);
        let store = now(async {
            let builder = tables.builder(server, server.options(), AMPLE);
            builder.connections(1).statement_timeout(limit).build()
        });
        let store = store.expect("options that hold");
        now(store.migrate()).expect("a table");
        let layer = Idempotency::builder(store, KeyScope::everyone()).lease(3 * AMPLE);
        let layer = layer.build().expect("options that hold");
        Site::new(layer, |config| {
            config.service(limits);
        })
    };
    let asking = |key: &str, act: &str| Request::post("/limits").key(key).header("x-act", act);
    let limited = site(Some(Duration::from_millis(250)));
    assert_first(&limited.send(asking("a", "tell")), 200, "250ms");
    let cut_off = limited.send(asking("b", "sleep"));
    assert_eq!((cut_off.status, cut_off.header("retry-after")), (500, None));
    assert_first(&limited.send(asking("b", "tell")), 200, "250ms");
    assert_replay(&limited.send(asking("a", "tell")), 200, "250ms");
    assert_eq!(limited.runs.count(), 3);
    let free = site(None);
    assert_first(&free.send(asking("a", "tell")), 200, "0");
}

/// Less than a millisecond would be none to the server.
#[test]
fn a_limit_that_cannot_be_told_to_the_server_is_refused() {
    let server = PgServer::shared();
    for limit in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
        let built = now(async {
            let builder = PgStore::builder(server.pool(1));
            builder.statement_timeout(limit).build().map(drop)
        });
        assert_eq!(built, Err(SqlConfigError::StatementTimeout(limit)));
    }
}

/// A bank whose connections go through a pooler in that mode, which is there for as long as the bank is used.
fn through_pooler(mode: &str, test: impl FnOnce(&Bank)) {
    let server = PgServer::shared();
    let pooler = PgBouncer::before(server, mode);
    test(&open(server, pooler.options(server), AMPLE));
}

#[test]
fn a_pooler_that_keeps_sessions_is_as_good_as_the_server() {
    through_pooler("session", |bank| {
        for (key, status, effects) in [("a", 201, 1), ("b", 404, 0)] {
            let asked = request(key).header("x-status", &status.to_string());
            let first = bank.send(&asked);
            assert_eq!((first.status, first.is_replay()), (status, false));
            assert_replay(&bank.send(&asked), status, &first.text());
            assert_eq!(bank.effects(key), effects);
        }
        let failing = request("c").header("x-status", "500");
        assert_eq!(bank.send(&failing).status, 500);
        assert_first(&bank.send(&request("c")), 201, "run 4");
        let undone = request("d")
            .header("x-trap", "40001")
            .header("x-until", "5");
        assert_first(&bank.send(&undone), 201, "run 6");
        assert_eq!((bank.effects("c"), bank.effects("d")), (1, 1));
    });
}

/// `check` calls it fatal; what is answered is true all the same.
#[test]
fn a_pooler_that_keeps_transactions_alone_makes_no_answer_wrong() {
    through_pooler("transaction", |bank| {
        for key in 0..20 {
            let key = format!("k{key}");
            let answers = [bank.send(&request(&key)), bank.send(&request(&key))];
            let successes = answers.iter().filter(|answer| answer.status == 201);
            let firsts = successes
                .clone()
                .filter(|answer| !answer.is_replay())
                .count();
            assert!(firsts <= 1, "{answers:?}");
            assert_eq!(
                bank.effects(&key),
                i64::from(successes.count() > 0),
                "{answers:?}"
            );
        }
    });
}

/// Effect and answer are rows of one commit, so that a standby has both or neither.
#[test]
fn what_a_promoted_standby_has_is_replayed_and_what_it_has_not_runs() {
    let primary: &PgServer = Box::leak(Box::new(PgServer::start(&[])));
    let tables = Tables::new(primary);
    let after = Tables {
        charges: tables.charges.clone(),
        records: tables.records.clone(),
    };
    let bank = tables.bank(primary, primary.options(), AMPLE);
    let standby: &PgServer = Box::leak(Box::new(primary.standby()));
    // From here on a commit is acknowledged once the standby has it.
    now(primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'"));
    now(primary.execute("SELECT pg_reload_conf()"));
    eventually("a synchronous standby", || {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        now(primary.number(sql)) == 1
    });

    let answered = bank.send(&request("answered"));
    assert_first(&answered, 201, "run 1");
    let mut cut_off = bank.ask(&asking("cut-off", "wait"));
    bank.gate.wait();
    primary.crash();
    bank.gate.open();
    let told = cut_off.receive();
    assert!(told.status >= 500, "{told:?}");
    now(standby.execute("SELECT pg_promote()"));
    now(standby.execute("ALTER SYSTEM SET synchronous_standby_names = ''"));
    now(standby.execute("SELECT pg_reload_conf()"));

    let bank = after.bank(standby, standby.options(), AMPLE);
    assert_replay(&bank.send(&request("answered")), 201, "run 1");
    assert_first(&bank.send(&request("cut-off")), 201, "run 1");
    assert_eq!((bank.effects("answered"), bank.effects("cut-off")), (1, 1));
}

/// As a handler may, and as a pooler does that gives each transaction another of the server's processes.
#[test]
fn a_server_that_forgets_what_was_prepared_answers_all_the_same() {
    #[post("/forgetting")]
    #[idempotent]
    async fn forgetting(
        mut tx: PgTx,
        request: HttpRequest,
        charges: Data<Charges>,
    ) -> Result<HttpResponse, SqlError> {
        let (table, note) = (&charges.0, header(&request, "x-note"));
        let sql = format!(
            "INSERT INTO {table} (note, run, trap) VALUES ('{note}', 1, ''); DEALLOCATE ALL"
        );
        tx.execute(raw_sql(AssertSqlSafe(sql))).await?;
        Ok(HttpResponse::Created().finish())
    }

    let server = PgServer::shared();
    let tables = Tables::new(server);
    let charges = tables.charges.clone();
    let store = now(async { tables.builder(server, server.options(), AMPLE).build() });
    let store = store.expect("options that hold");
    now(store.migrate()).expect("a table");
    let layer = Idempotency::builder(store, KeyScope::everyone()).lease(3 * AMPLE);
    let layer = layer.build().expect("options that hold");
    let site = Site::new(layer, move |config| {
        config
            .app_data(Data::new(Charges(tables.charges.clone())))
            .service(forgetting);
    });
    for key in ["a", "b", "c"] {
        let asked = Request::post("/forgetting").key(key).header("x-note", key);
        let (first, retry) = site.twice(&asked);
        assert_eq!((first.status, first.is_replay()), (201, false), "{first:?}");
        assert_replay(&retry, 201, "");
        let sql = format!("SELECT count(*) FROM {charges} WHERE note = '{key}'");
        assert_eq!(now(server.number(&sql)), 1, "{key}");
    }
}
