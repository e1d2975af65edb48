//! Cases about answers that are recorded, and whether they are found as they were. They know no store.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Bytes;

use super::Harness;
use super::test_record::{Got, Observed, TestRecord, answer, observed};
use crate::store::{Completion, Finished, NotKept, StoredResponse};

pub(super) async fn completing_in_flight_records_the_answer<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    let completion = t.complete(&claim, &answer("first")).await;
    t.check("complete", completion, Completion::Recorded);
    t.check(
        "after it",
        t.state().await,
        Observed::Finished(answer("first")),
    );
}

pub(super) async fn completing_unknown_records_the_answer<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, _) = t.unknown().await;
    let completion = t.complete(&claim, &answer("late")).await;
    t.check("complete", completion, Completion::Recorded);
    t.check(
        "after it",
        t.state().await,
        Observed::Finished(answer("late")),
    );
}

pub(super) async fn completing_twice_changes_nothing<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.complete_for(&claim, &answer("first"), 4).await;
    t.pass(2).await;
    let completion = t.complete_for(&claim, &answer("second"), 64).await;
    t.check("the second complete", completion, Completion::Recorded);
    t.check(
        "after it",
        t.state().await,
        Observed::Finished(answer("first")),
    );
    t.pass(3).await;
    t.check(
        "after 5 units of a ttl of 4",
        t.state().await,
        Observed::Absent,
    );
}

pub(super) async fn completing_by_another_token_is_refused<H: Harness>(t: TestRecord<'_, H>) {
    let (live, lapsed, done) = (t.another(), t.another(), t.another());
    let (claim, other) = (t.long_claim(), t.long_claim());
    lapsed.granted(&t.claim(), 1).await;
    t.pass_lease().await;
    live.granted(&claim, 1).await;
    done.granted(&claim, 1).await;
    done.complete(&claim, &answer("first")).await;
    for (record, before) in [
        (&live, Observed::InFlight),
        (&lapsed, Observed::Unknown),
        (&done, Observed::Finished(answer("first"))),
    ] {
        let completion = record.complete(&other, &answer("other")).await;
        let what = format!("complete on {before:?}");
        t.check(&what, completion, Completion::Refused);
        t.check("after it", record.state().await, before);
    }
}

pub(super) async fn completing_what_is_absent_stores_the_answer<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim().with_generation(3);
    let completion = t.complete_for(&claim, &answer("first"), 4).await;
    t.check("complete", completion, Completion::RecordedAbsent);
    let record = t.found(&t.long_claim()).await;
    t.check("its generation", record.attempt.generation(), 3);
    t.check("its fingerprint", record.fingerprint, *claim.fingerprint());
    t.check(
        "its state",
        observed(record.state),
        Observed::Finished(answer("first")),
    );
    let completion = t.complete(&claim, &answer("second")).await;
    t.check("the second complete", completion, Completion::Recorded);
    let completion = t.complete(&t.long_claim(), &answer("other")).await;
    t.check("complete by another token", completion, Completion::Refused);
    t.check(
        "after both",
        t.state().await,
        Observed::Finished(answer("first")),
    );
    t.pass(5).await;
    t.check(
        "after 5 units of a ttl of 4",
        t.state().await,
        Observed::Absent,
    );
}

pub(super) async fn completing_keeps_what_was_stored<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    let altered = t.altered(&claim, 1);
    let completion = t.complete(&altered, &answer("first")).await;
    t.check("complete", completion, Completion::Recorded);
    let record = t.record().await;
    t.check("its generation", record.attempt.generation(), 1);
    t.check("its fingerprint", record.fingerprint, *claim.fingerprint());
}

pub(super) async fn every_answer_is_found_as_it_was<H: Harness>(t: TestRecord<'_, H>) {
    for (what, response) in answers() {
        let record = t.another();
        let claim = t.long_claim();
        record.granted(&claim, 1).await;
        record
            .complete(&claim, &Finished::Completed(response.clone()))
            .await;
        let found = record.found(&t.long_claim()).await;
        let Observed::Finished(Finished::Completed(found)) = observed(found.state) else {
            t.fail(format_args!("{what}: is not found completed"));
        };
        let status = found.status();
        t.check(&format!("{what}: status"), status, response.status());
        t.check(
            &format!("{what}: reason phrase"),
            found.reason(),
            response.reason(),
        );
        t.check(
            &format!("{what}: is an error"),
            found.is_error(),
            response.is_error(),
        );
        let (lines, due) = (found.headers(), response.headers());
        t.check(&format!("{what}: header lines"), lines, due);
        let is_body_kept = found.body() == response.body();
        t.check(&format!("{what}: body is as it was"), is_body_kept, true);
    }
}

fn answers() -> [(&'static str, StoredResponse); 9] {
    let line = |name, value: &[u8]| {
        let value = HeaderValue::from_bytes(value).expect("the octets are allowed in a value");
        (name, value)
    };
    let ok = |body: Option<Bytes>| StoredResponse::new(StatusCode::OK, [], body);
    let octets = Bytes::from_iter(0..=255);
    let mebibyte: Bytes = (0..1 << 20).map(|n: u32| ((n * 7) >> 3) as u8).collect();
    let extension = HeaderName::from_static("x-trace");
    let odd = StatusCode::from_u16(799).expect("799 is a status of three digits");
    [
        ("all octets", ok(Some(octets))),
        ("an empty body", ok(Some(Bytes::new()))),
        (
            "no body",
            StoredResponse::new(StatusCode::NOT_MODIFIED, [], None),
        ),
        ("1 MiB", ok(Some(mebibyte))),
        (
            "an odd status",
            StoredResponse::new(odd, [], Some(Bytes::from_static(b"{}"))),
        ),
        (
            "a reason phrase of its own, as an error",
            ok(None).with_reason(Some("Very Well")).as_error(),
        ),
        (
            "lines of one name",
            StoredResponse::new(
                StatusCode::OK,
                [
                    line(header::LINK, b"<b>"),
                    line(extension.clone(), b"1"),
                    line(header::LINK, b"<a>"),
                    line(extension.clone(), b"2"),
                    line(header::LINK, b"<b>"),
                ],
                None,
            ),
        ),
        (
            "latin-1, empty and padded values",
            StoredResponse::new(
                StatusCode::OK,
                [
                    line(extension.clone(), b"caf\xe9 \xff\x80"),
                    line(extension.clone(), b""),
                    line(extension.clone(), b"\ta, \"b\";c=d "),
                ],
                Some(Bytes::from_static(b"\r\n\r\n\0")),
            ),
        ),
        (
            "500 lines",
            StoredResponse::new(
                StatusCode::OK,
                (0..500).map(|n| (extension.clone(), HeaderValue::from(n))),
                None,
            ),
        ),
    ]
}

pub(super) async fn an_answer_may_be_known_and_not_kept<H: Harness>(t: TestRecord<'_, H>) {
    let locations: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"/payments/caf\xe9?a=%20")];
    for location in locations {
        let not_kept = Finished::NotKept(NotKept::new(201, location.map(<[u8]>::to_vec)));
        let record = t.another();
        let claim = t.long_claim();
        record.granted(&claim, 1).await;
        let completion = record.complete(&claim, &not_kept).await;
        t.check("complete", completion, Completion::Recorded);
        let got = record.begin(&t.long_claim()).await;
        t.check(
            "what is found",
            got,
            Got::Found(Observed::Finished(not_kept)),
        );
    }
}
