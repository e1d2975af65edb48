//! Claims of a process that has no file descriptor left, in a process of its own.

use std::fs::File;
use std::time::Duration;

use actix_web::http::Method;
use idempotency_actix_tests::Request;
use idempotency_actix_tests::app::{Call, FaultyStore, Mode, Rig, created};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for a server, and few enough to be used up at once.
const FEW: u64 = 256;

const LEASE: Duration = Duration::from_millis(300);

#[test]
fn a_first_claim_without_a_descriptor_costs_no_later_owner_its_lease() {
    let limit = Rlimit {
        current: Some(FEW),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).expect("a limit below the one that is there");
    let store = FaultyStore::default();
    let rig = Rig::new(
        Mode::Marked,
        store.clone(),
        |layer| layer.lease(LEASE),
        |run| async move {
            if run.number > 1 {
                run.gate.pass().await;
            }
            created(&run)
        },
    );
    let mut clients = [(); 3].map(|()| {
        let mut client = rig.connect();
        client.send(&Request::new(Method::GET, "/nowhere"));
        client.receive();
        client
    });

    let descriptors: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    clients[0].send(&rig.request("first"));
    assert_eq!(clients[0].receive().status, 201);
    drop(descriptors);

    clients[1].send(&rig.request("second"));
    rig.gate.wait();
    // Longer than the lease: each renewal comes a third of it after the one before.
    store.answered(Call::Renew).wait_for(5);
    clients[2].send(&rig.request("second"));
    assert_eq!(clients[2].receive().status, 409);
    rig.gate.let_one_through();
    assert_eq!(clients[1].receive().status, 201);
}
