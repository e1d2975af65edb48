//! Keys for services behind the application, made of an operation's record. It knows no request.

use super::digest::{digest_for, hexadecimal};
use super::record_id::RecordId;

/// The key of one downstream effect of an operation, in the form of a UUID.
pub(crate) fn derived(record: &RecordId, label: &str) -> String {
    as_uuid(&digest_for(
        b"idempotency-actix derived key 1 ",
        &[record.as_bytes(), label.as_bytes()],
    ))
}

/// A custom UUID of RFC 9562, section 5.8.
fn as_uuid(digest: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut digits = [0; 32];
    hexadecimal(&bytes, &mut digits);
    let mut uuid = String::with_capacity(36);
    for (i, digit) in digits.into_iter().enumerate() {
        if matches!(i, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit.into());
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: a processor's record of the first try is found by this value after an upgrade.
    #[test]
    fn the_derivation_of_downstream_keys_never_changes() {
        let of = |label| derived(&RecordId::from_bytes([7; 32]), label);
        assert_eq!(of("processor"), "91ca2c13-f276-8bad-a9eb-f7f3ba6f92d3");
        assert_eq!(of(""), "a2a23e45-9853-85bd-9581-1217e822bbf8");
    }
}
