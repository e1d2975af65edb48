//! What faults leave behind: nothing.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::BodyStream;
use actix_web::web::Bytes;
use futures_util::stream;

use idempotency_actix_tests::app::{
    Call, DOWN, Fault, FaultyStore, Gate, Mode, Rig, answer, created, wait_at_gate,
};
use idempotency_actix_tests::{PATIENCE, eventually, in_both_modes};

in_both_modes! {
    after_every_fault_no_record_is_in_flight
    the_renewing_thread_ends_with_its_layer
    an_idle_layer_lets_go_of_its_store
    an_unreleased_claim_outlives_its_layer_by_two_leases_at_most
    a_hanging_store_does_not_keep_the_layer
    a_handler_that_never_ends_does_not_outlive_its_server
    a_stream_that_never_ends_does_not_outlive_its_server
}

const SHORT: Duration = Duration::from_millis(300);

fn after_every_fault_no_record_is_in_flight(mode: Mode) {
    let store = FaultyStore::default();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT).max_run(PATIENCE),
        |run| async move {
            match run.number % 4 {
                0 => panic!("in the handler"),
                1 => HttpResponse::TooManyRequests().finish(),
                2 => {
                    let chunks = ["a", "b"].map(|c| Ok::<_, std::io::Error>(Bytes::from(c)));
                    HttpResponse::Ok().body(BodyStream::new(stream::iter(chunks)))
                }
                _ => created(&run),
            }
        },
    );
    let faults = [DOWN, Fault::LoseReply, Fault::Hang, Fault::HangApplied];
    for (n, fault) in faults.iter().enumerate() {
        for call in [Call::Begin, Call::Complete, Call::Release, Call::Renew] {
            store.next(call, fault.clone());
            for m in 0..4 {
                let client = rig.ask(&format!("{n}-{call:?}-{m}"));
                if m == 3 {
                    client.reset();
                } else {
                    drop(rig.settle(&format!("{n}-{call:?}-{m}")));
                }
            }
        }
    }
    eventually("an end of every operation", || {
        use idempotency_actix::store::State;
        let begun = store.calls(Call::Begin);
        begun.iter().all(|(id, _)| {
            let state = store.record(id).map(|record| record.state);
            matches!(state, None | Some(State::Finished(_)))
        })
    });
}

/// Nothing holds the store any more: no task, no thread, no waiter.
fn assert_lets_go(rig: Rig) {
    let is_held = rig.store.watch();
    drop(rig);
    eventually("an end of all that holds the store", || !is_held());
}

#[cfg(target_os = "linux")]
fn the_renewing_thread_ends_with_its_layer(mode: Mode) {
    let store = FaultyStore::default();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT),
        wait_at_gate,
    );
    let mut owner = rig.start("k");
    store.answered(Call::Renew).wait_for(1);
    let thread = store.renewing_thread().expect("a thread that renews");
    let name = std::fs::read_to_string(thread.join("comm")).unwrap();
    assert_eq!(name.trim(), &"idempotency-renewals"[..15]);
    rig.gate.open();
    assert_eq!(owner.receive().status, 201);
    assert!(thread.exists());
    drop(rig);
    eventually("an end of the keeper", || !thread.exists());
}

#[cfg(not(target_os = "linux"))]
fn the_renewing_thread_ends_with_its_layer(_: Mode) {}

fn an_idle_layer_lets_go_of_its_store(mode: Mode) {
    let rig = Rig::prompt(mode, FaultyStore::default());
    assert_eq!(rig.send("k").status, 201);
    assert_lets_go(rig);
}

fn an_unreleased_claim_outlives_its_layer_by_two_leases_at_most(mode: Mode) {
    let store = FaultyStore::default();
    store.always(Call::Begin, DOWN).always(Call::Release, DOWN);
    let rig = Rig::new(mode, store, |layer| layer.lease(SHORT), answer);
    assert_eq!(rig.send("k").status, 503);
    assert_lets_go(rig);
}

fn a_hanging_store_does_not_keep_the_layer(mode: Mode) {
    let store = FaultyStore::default();
    for call in [Call::Begin, Call::Complete, Call::Release, Call::Renew] {
        store.always(call, Fault::Hang);
    }
    let timeout = Duration::from_millis(50);
    let rig = Rig::new(
        mode,
        store,
        |layer| layer.lease(SHORT).store_timeout(timeout),
        answer,
    );
    assert_eq!(rig.send("k").status, 503);
    assert_lets_go(rig);
}

fn a_handler_that_never_ends_does_not_outlive_its_server(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    let stays = rig.ask("stays");
    let leaves = rig.ask("leaves");
    rig.runs.wait_for(2);
    leaves.reset();
    rig.let_go.wait_for(1);
    assert_lets_go(rig);
    drop(stays);
}

fn a_stream_that_never_ends_does_not_outlive_its_server(mode: Mode) {
    let never = Gate::closed();
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        move |_| {
            let never = never.clone();
            async move {
                let body = stream::once(async move {
                    never.pass().await;
                    Ok::<_, std::io::Error>(Bytes::new())
                });
                HttpResponse::Ok().body(BodyStream::new(Box::pin(body)))
            }
        },
    );
    let mut client = rig.ask("k");
    assert_eq!(client.receive_head().unwrap().status, 200);
    assert_lets_go(rig);
}
