//! Steps on stored octets: a store of them keeps the contract, and octets that cannot be read are never absent.

use actix_web::http::Method;

use super::*;
use crate::store::{
    Description, Fingerprint, MIN_CLAIM_RETENTION, NotKept, StoreErrorKind, StoredResponse, Token,
};

const ID: RecordId = RecordId::from_bytes([1; 32]);
const LEASE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn claim() -> Claim {
    let fingerprint = Fingerprint::new(Fingerprint::BYTES, [2; 32]);
    Claim::new(Token::from_bytes([3; 16]), fingerprint, LEASE, DAY)
}

fn not_kept() -> Finished {
    Finished::NotKept(NotKept::new(204, None))
}

fn load(octets: &[u8], now: SystemTime) -> Loaded<'static> {
    static CODEC: std::sync::LazyLock<RecordCodec> = std::sync::LazyLock::new(RecordCodec::plain);
    let octets = (!octets.is_empty()).then(|| Bytes::copy_from_slice(octets));
    Loaded::new(&CODEC, &ID, octets, now)
}

#[track_caller]
fn saved<T>(step: Result<Step<T>, StoreError>) -> super::super::Saved {
    match step.expect("a step").change {
        Change::Save(saved) => saved,
        Change::Nothing | Change::Remove => panic!("nothing is saved"),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.chunks(4).map(crate::request::short).collect()
}

/// Frozen with the version: a database outlives a deploy.
#[test]
fn the_stored_form_of_version_1_never_changes() {
    let begun = saved(load(&[], at(0)).begin(&claim().with_generation(7)));
    let head = |kind, token: &str, generation| {
        let (id, token) = ("01".repeat(32), token.repeat(16));
        let digest = "02".repeat(32);
        format!("01{kind}00{id}{token}{generation:016x}01{digest}")
    };
    let (start, end) = (1_700_000_000_000_000_000_u64, 1_700_086_400_000_000_000_u64);
    let times = "00000000000075300000000005265c00";
    let form = format!("{}{times}{end:016x}{start:016x}01", head("01", "03", 7));
    assert_eq!(hex(&begun.octets), form);
    let done = saved(load(&begun.octets, at(0)).complete(&claim(), &not_kept(), DAY));
    let form = format!("{}00cc00{end:016x}{:016x}01", head("03", "03", 7), 0);
    assert_eq!(hex(&done.octets), form);
    let given_up = saved(load(&begun.octets, at(0)).release(&claim()));
    let form = format!("{}{end:016x}{:016x}01", head("04", "03", 7), 0);
    assert_eq!(hex(&given_up.octets), form);
}

#[test]
fn what_is_saved_tells_when_it_is_over_and_from_when_it_is_listed() {
    let bare = saved(load(&[], at(0)).begin(&claim()));
    assert_eq!((bare.expires, bare.unknown_from), (at(86_400), None));
    let described = claim().described(Description::new(Method::POST, None, at(0)));
    let begun = saved(load(&[], at(0)).begin(&described));
    assert_eq!(begun.unknown_from, Some(at(30)));
    let renewed = saved(load(&begun.octets, at(20)).renew(&described));
    assert_eq!(renewed.unknown_from, Some(at(50)));
    assert_eq!(renewed.expires, at(86_420));
    assert_eq!(load(&renewed.octets, at(49)).unknown(), None);
    let listed = load(&renewed.octets, at(50)).unknown().expect("an outcome");
    assert_eq!((listed.last_seen, listed.since()), (at(20), at(50)));
    let done = saved(load(&renewed.octets, at(60)).complete(&described, &not_kept(), LEASE));
    assert_eq!((done.expires, done.unknown_from), (at(90), None));
    assert!(!load(&done.octets, at(89)).is_absent());
    assert!(load(&done.octets, at(90)).is_absent());
}

#[test]
fn a_time_with_a_part_of_a_millisecond_is_saved_as_it_is_read_again() {
    let odd = Duration::from_nanos(1_500_001);
    let fingerprint = *claim().fingerprint();
    let claim = Claim::new(Token::random(), fingerprint, odd, odd * 2);
    let begun = saved(load(&[], at(0)).begin(&claim));
    assert_eq!(begun.expires, at(0) + Duration::from_millis(4));
    let just_before = begun.expires - Duration::from_nanos(1);
    assert!(!load(&begun.octets, just_before).is_absent());
    assert!(load(&begun.octets, begun.expires).is_absent());
    let ever = Claim::new(Token::random(), fingerprint, odd, Duration::MAX);
    let begun = saved(load(&[], at(0)).begin(&ever));
    let record = load(&begun.octets, at(0)).inspect().expect("a step").answer;
    assert!(record.is_some());
}

#[test]
fn a_replayed_body_is_a_slice_of_what_was_loaded() {
    let response = StoredResponse::new(
        actix_web::http::StatusCode::OK,
        [],
        Some(Bytes::from_static(b"0123456789")),
    );
    let finished = Finished::Completed(response);
    let done = saved(load(&[], at(0)).complete(&claim(), &finished, DAY));
    let octets = Bytes::from(done.octets);
    let range = octets.as_ptr_range();
    let codec = RecordCodec::plain();
    let found = Loaded::new(&codec, &ID, Some(octets), at(1)).begin(&claim());
    let Ok(Begun::Found(record)) = found.map(|step| step.answer) else {
        panic!("no record");
    };
    let super::super::State::Finished(Finished::Completed(response)) = record.state else {
        panic!("no answer");
    };
    let body = response.body().expect("a body").as_ptr_range();
    assert!(range.start < body.start && body.end < range.end);
}

#[test]
fn octets_that_cannot_be_read_are_no_step_until_they_are_forgotten() {
    let mut octets = saved(load(&[], at(0)).begin(&claim().with_generation(7))).octets;
    // The kind of the record.
    octets[1] = 9;
    let now = at(10);
    let kind = |error: Option<StoreError>| error.map(|error| error.kind());
    let unreadable = Some(StoreErrorKind::Unreadable);
    assert_eq!(kind(load(&octets, now).begin(&claim()).err()), unreadable);
    assert_eq!(kind(load(&octets, now).renew(&claim()).err()), unreadable);
    assert_eq!(kind(load(&octets, now).release(&claim()).err()), unreadable);
    assert_eq!(kind(load(&octets, now).inspect().err()), unreadable);
    let complete = load(&octets, now).complete(&claim(), &not_kept(), DAY);
    assert_eq!(kind(complete.err()), unreadable);
    let unread = AttemptId::UNREADABLE;
    let resolve = load(&octets, now).resolve(&unread, &Verdict::NotExecuted);
    assert_eq!(kind(resolve.err()), unreadable);
    assert!(!load(&octets, now).is_absent());

    let forgotten = load(&octets, now).resolve(&unread, &Verdict::Forget);
    let remembered = saved(forgotten);
    assert_eq!(remembered.expires, now + MIN_CLAIM_RETENTION);
    let next = load(&remembered.octets, now).begin(&claim());
    let Begun::Claimed { generation } = next.expect("a step").answer else {
        panic!("no claim");
    };
    assert_eq!(generation, 8);
}

#[test]
fn octets_of_nobody_are_never_over_and_leave_nothing() {
    let whole = saved(load(&[], at(0)).begin(&claim())).octets;
    for length in 1..whole.len() {
        let cut = &whole[..length];
        assert!(!load(cut, at(u64::from(u32::MAX))).is_absent(), "{length}");
    }
    let mut foreign = whole;
    foreign[3] = 9;
    let late = at(u64::from(u32::MAX));
    assert!(!load(&foreign, late).is_absent());
    let forgotten = load(&foreign, late).resolve(&AttemptId::UNREADABLE, &Verdict::Forget);
    let step = forgotten.expect("a step");
    assert_eq!((step.answer, step.change), (Resolved::Done, Change::Remove));
}

#[cfg(feature = "encryption")]
#[test]
fn what_no_key_opens_is_over_in_its_time() {
    use crate::store::Keyring;
    let sealed = RecordCodec::sealed(Keyring::new(1, [7; 32]));
    let step = Loaded::new(&sealed, &ID, None, at(0)).complete(&claim(), &not_kept(), LEASE);
    let done = saved(step);
    let other = RecordCodec::sealed(Keyring::new(2, [8; 32]));
    let loaded = |now| Loaded::new(&other, &ID, Some(Bytes::from(done.octets.clone())), now);
    assert!(loaded(at(29)).begin(&claim()).is_err());
    assert!(loaded(at(30)).begin(&claim()).is_ok());
}

#[cfg(feature = "conformance")]
mod in_a_map;
