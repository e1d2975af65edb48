//! Forms that a key may have, UUID (RFC 9562) and ULID, and the time in it. It does not know which one a route wants.

/// Whether it is a UUID of any version, in its form with hyphens (RFC 9562, section 4), in either case.
pub(crate) fn is_uuid(key: &str) -> bool {
    let is_right = |(at, octet): (usize, u8)| match at {
        8 | 13 | 18 | 23 => octet == b'-',
        _ => octet.is_ascii_hexdigit(),
    };
    key.len() == 36 && key.bytes().enumerate().all(is_right)
}

/// When a UUID of version 7 was made (RFC 9562, section 5.7), in milliseconds of Unix time; `None` if it is none.
pub(crate) fn uuid7_time(key: &str) -> Option<u64> {
    let octets = key.as_bytes();
    let is_uuid7 = is_uuid(key)
        && octets[14] == b'7'
        && matches!(octets[19], b'8' | b'9' | b'a'..=b'b' | b'A'..=b'B');
    let digits = || [&key[..8], &key[9..13]].concat();
    is_uuid7
        .then(digits)
        .and_then(|digits| u64::from_str_radix(&digits, 16).ok())
}

/// When a ULID was made, in milliseconds of Unix time; `None` if it is none: 26 digits of Crockford's base 32, in either
/// case, without the letters I, L, O and U, and not above the largest one.
pub(crate) fn ulid_time(key: &str) -> Option<u64> {
    if key.len() != 26 || key.as_bytes()[0] > b'7' {
        return None;
    }
    let mut time = 0;
    for (at, octet) in key.bytes().enumerate() {
        let digit = base32(octet)?;
        if at < 10 {
            time = time << 5 | digit;
        }
    }
    Some(time)
}

fn base32(octet: u8) -> Option<u64> {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let octet = octet.to_ascii_uppercase();
    let digit = DIGITS.iter().position(|digit| *digit == octet)?;
    Some(digit as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 9562, appendix A.6: 22 February 2022, 19:22:22 UTC.
    const UUID7: &str = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F";
    const UUID7_TIME: u64 = 1_645_557_742_000;

    #[test]
    fn a_uuid_of_version_7_tells_its_time() {
        assert_eq!(uuid7_time(UUID7), Some(UUID7_TIME));
        assert_eq!(uuid7_time(&UUID7.to_lowercase()), Some(UUID7_TIME));
    }

    #[test]
    fn other_versions_and_variants_are_uuids_without_a_time() {
        for other in [
            "919108f7-52d1-4320-9bac-f847db4148a8",
            "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert!(is_uuid(other), "{other}");
            assert_eq!(uuid7_time(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_uuid_is_none() {
        for other in [
            "",
            "017f22e279b07cc398c4dc0c0c07398f",
            "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
            "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
            "017f22e2_79b0_7cc3_98c4_dc0c0c07398f",
            "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
        ] {
            assert!(!is_uuid(other) && uuid7_time(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_ulid_tells_its_time() {
        // The example of the specification: its time is the one of 30 July 2016, 23:54:10 UTC.
        let ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        assert_eq!(ulid_time(ulid), Some(1_469_922_850_259));
        assert_eq!(ulid_time(&ulid.to_lowercase()), Some(1_469_922_850_259));
        assert_eq!(ulid_time("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), Some((1 << 48) - 1));
    }

    #[test]
    fn what_is_no_ulid_is_none() {
        for other in [
            "",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "01ARZ3NDEKTSV4RRFFQ69G5FA",
            "01ARZ3NDEKTSV4RRFFQ69G5FAVV",
            "01ARZ3NDEKTSV4RRFFQ69G5FAU",
            "01ARZ3NDEKTSV4RRFFQ69G5FAI",
            "01ARZ3NDEKTSV4RRFFQ69G5FA-",
        ] {
            assert_eq!(ulid_time(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_read_back_from_a_uuid(time in 0..1_u64 << 48, rest: u64) {
            let high = time >> 16;
            let (low, rest) = (time & 0xffff, rest & 0xffff_ffff_ffff);
            let key = format!("{high:08x}-{low:04x}-7000-8000-{rest:012x}");
            prop_assert_eq!(uuid7_time(&key), Some(time));
        }

        #[test]
        fn no_text_is_too_much(key in r"\PC{0,40}") {
            let _ = (is_uuid(&key), uuid7_time(&key), ulid_time(&key));
        }
    }
}
