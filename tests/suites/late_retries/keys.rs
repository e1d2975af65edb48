//! Keys with a time in them, and times as headers tell them.

use std::time::{Duration, SystemTime};

use actix_web::http::header::HttpDate;

fn millis(time: SystemTime) -> u128 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.expect("a time after 1970").as_millis()
}

/// A UUID of version 7 of that time.
pub(crate) fn uuid7(time: SystemTime) -> String {
    let millis = millis(time);
    let (high, low) = (millis >> 16, millis & 0xffff);
    format!("{high:08x}-{low:04x}-7cc3-98c4-dc0c0c07398f")
}

/// A ULID of that time.
pub(crate) fn ulid(time: SystemTime) -> String {
    let millis = millis(time);
    let digit = |at: u32| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[(millis >> (5 * at) & 31) as usize];
    let time: String = (0..10).rev().map(|at| char::from(digit(at))).collect();
    time + "SV4RRFFQ69G5FAVX"
}

/// An IMF-fixdate.
pub(crate) fn http_date(time: SystemTime) -> String {
    HttpDate::from(time).to_string()
}

pub(crate) const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}
