//! Stored bytes of an answer, version 1. All integers are big-endian.
//!
//! | octets | content |
//! |---|---|
//! | 1 | version: 1 |
//! | 1 | the sum of 1: there is a body, possibly empty; 2: there is a reason phrase; 4: it was given as an error; 8: there is a time |
//! | 2 | status |
//! | 2 | number of header lines |
//! | 8 | length of the body |
//! | 8 | when it was given, in milliseconds since 1970, where that is known |
//! | 2 | length of the reason phrase, where there is one |
//! | 2 + 4 each | length of a line's name and of its value |
//! | .. | reason phrase, names and values, then the body |

use std::error::Error;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Bytes;

use super::response::StoredResponse;

const VERSION: u8 = 1;
const HEAD: usize = 14;
const ROW: usize = 6;

const WITH_BODY: u8 = 1;
const WITH_REASON: u8 = 2;
const IS_ERROR: u8 = 4;
const WITH_TIME: u8 = 8;

/// The most header lines that a stored answer may have: 4,096.
const MAX_HEADERS: usize = 4_096;

impl StoredResponse {
    /// Writes the answer in the versioned binary form that [`decode`](Self::decode) reads.
    ///
    /// # Errors
    ///
    /// Refuses what could not be read back: more than 4,096 header lines, a name over 64 KiB or a
    /// value over 4 GiB.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut out)?;
        Ok(out)
    }

    /// How many octets the binary form takes.
    pub(crate) fn encoded_len(&self) -> usize {
        let reason = self.reason().map_or(0, |_| 2);
        let time = self.answered_at().map_or(0, |_| 8);
        HEAD + time + reason + ROW * self.headers().len() + self.size()
    }

    /// Writes the binary form behind what is there already.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let lines = self.headers();
        if lines.len() > MAX_HEADERS {
            return Err(EncodeError);
        }
        let body = self.body().map_or(&[][..], |body| body);
        let kind = [
            (WITH_BODY, self.body().is_some()),
            (WITH_REASON, self.reason().is_some()),
            (IS_ERROR, self.is_error()),
            (WITH_TIME, self.answered_at().is_some()),
        ];
        let kind = kind.iter().filter(|(_, is_so)| *is_so);
        out.extend([VERSION, kind.map(|(bit, _)| bit).sum()]);
        out.extend(self.status().as_u16().to_be_bytes());
        out.extend((lines.len() as u16).to_be_bytes());
        out.extend((body.len() as u64).to_be_bytes());
        if let Some(at) = self.answered_at() {
            let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
            out.extend((since.as_millis() as u64).to_be_bytes());
        }
        if let Some(reason) = self.reason() {
            let reason = u16::try_from(reason.len()).map_err(|_| EncodeError)?;
            out.extend(reason.to_be_bytes());
        }
        for (name, value) in lines {
            let name = u16::try_from(name.as_str().len()).map_err(|_| EncodeError)?;
            let value = u32::try_from(value.len()).map_err(|_| EncodeError)?;
            out.extend(name.to_be_bytes());
            out.extend(value.to_be_bytes());
        }
        out.extend_from_slice(self.reason().unwrap_or_default().as_bytes());
        for (name, value) in lines {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(body);
        Ok(())
    }

    /// Reads what [`encode`](Self::encode) wrote; values and body are slices of `bytes`, not copies.
    ///
    /// # Errors
    ///
    /// Anything that is not exactly one answer of a known version is refused, and nothing is
    /// allocated for a length that the input does not have.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        use DecodeError::{Malformed, Version};
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&version) => return Err(Version(version)),
            None => return Err(Malformed),
        }
        let (head, mut rest) = bytes.split_at_checked(HEAD).ok_or(Malformed)?;
        let kind = head[1];
        if kind & !(WITH_BODY | WITH_REASON | IS_ERROR | WITH_TIME) != 0 {
            return Err(Malformed);
        }
        let status = StatusCode::from_u16(u16_at(head, 2)).map_err(|_| Malformed)?;
        let lines = usize::from(u16_at(head, 4));
        let body_len = u32_pair(head, 6)?;
        if lines > MAX_HEADERS {
            return Err(Malformed);
        }
        let mut answered_at = None;
        if kind & WITH_TIME != 0 {
            let time;
            (time, rest) = split(rest, 8)?;
            let since = Duration::from_millis(u64_at(time));
            answered_at = Some(UNIX_EPOCH.checked_add(since).ok_or(Malformed)?);
        }
        let mut reason = None;
        if kind & WITH_REASON != 0 {
            let length;
            (length, rest) = split(rest, 2)?;
            reason = Some(usize::from(u16_at(length, 0)));
        }
        let (table, mut text) = rest.split_at_checked(ROW * lines).ok_or(Malformed)?;
        let reason = match reason {
            None => None,
            Some(length) => {
                let phrase;
                (phrase, text) = split(text, length)?;
                Some(str::from_utf8(phrase).map_err(|_| Malformed)?)
            }
        };
        let mut headers = Vec::with_capacity(lines);
        for row in table.chunks_exact(ROW) {
            let (name, value);
            (name, text) = split(text, usize::from(u16_at(row, 0)))?;
            (value, text) = split(text, u32_at(row, 2) as usize)?;
            let name = HeaderName::from_bytes(name).map_err(|_| Malformed)?;
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(value));
            let value = value.map_err(|_| Malformed)?;
            headers.push((name, value));
        }
        if text.len() != body_len {
            return Err(Malformed);
        }
        let body = match (kind & WITH_BODY, body_len) {
            (0, 0) => None,
            (0, _) => return Err(Malformed),
            _ => Some(bytes.slice(bytes.len() - body_len..)),
        };
        let response = Self::new(status, headers, body).with_reason(reason);
        if response.reason() != reason {
            // No status line can hold it, or it would not be written again.
            return Err(Malformed);
        }
        let response = match kind & IS_ERROR {
            0 => response,
            _ => response.as_error(),
        };
        Ok(match answered_at {
            Some(at) => response.answered(at),
            None => response,
        })
    }
}

fn split(text: &[u8], at: usize) -> Result<(&[u8], &[u8]), DecodeError> {
    text.split_at_checked(at).ok_or(DecodeError::Malformed)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) << 16 | u32::from(u16_at(bytes, at + 2))
}

fn u64_at(bytes: &[u8]) -> u64 {
    u64::from(u32_at(bytes, 0)) << 32 | u64::from(u32_at(bytes, 4))
}

fn u32_pair(bytes: &[u8], at: usize) -> Result<usize, DecodeError> {
    usize::try_from(u64_at(&bytes[at..])).map_err(|_| DecodeError::Malformed)
}

/// The answer does not fit the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeError;

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer has more or longer header lines than the stored form holds")
    }
}

impl Error for EncodeError {}

/// Why stored bytes are not an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// Written by a version that this one does not know.
    Version(u8),
    /// Cut off, padded, or never an answer at all.
    Malformed,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "stored answer of unknown version {version}"),
            Self::Malformed => f.write_str("stored answer is malformed"),
        }
    }
}

impl Error for DecodeError {}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn line() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
        let octet = prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8];
        ("[a-z][a-z0-9-]{0,20}", vec(octet, 0..40)).prop_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            let value = HeaderValue::from_bytes(&value).expect("a header value");
            (name, value)
        })
    }

    fn response() -> impl Strategy<Value = StoredResponse> {
        let body = proptest::option::of(vec(any::<u8>(), 0..200));
        let reason = proptest::option::of("[ -~\t\u{e9}]{0,20}");
        let parts = (
            100..1000_u16,
            reason,
            any::<bool>(),
            vec(line(), 0..8),
            body,
        );
        parts.prop_map(|(status, reason, is_error, lines, body)| {
            let status = StatusCode::from_u16(status).expect("a status");
            let response = StoredResponse::new(status, lines, body.map(Bytes::from));
            let response = response.with_reason(reason.as_deref());
            match is_error {
                true => response.as_error(),
                false => response,
            }
        })
    }

    fn encoded(response: &StoredResponse) -> Vec<u8> {
        response.encode().expect("a response that fits")
    }

    fn decode(bytes: Vec<u8>) -> Result<StoredResponse, DecodeError> {
        StoredResponse::decode(Bytes::from(bytes))
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(response in response()) {
            prop_assert!(decode(encoded(&response)) == Ok(response));
        }

        #[test]
        fn what_is_cut_off_is_malformed(response in response(), at: proptest::sample::Index) {
            let mut bytes = encoded(&response);
            bytes.truncate(at.index(bytes.len()));
            prop_assert_eq!(decode(bytes), Err(DecodeError::Malformed));
        }

        #[test]
        fn what_is_padded_is_malformed(response in response(), padding in vec(any::<u8>(), 1..9)) {
            let bytes = [encoded(&response), padding].concat();
            prop_assert_eq!(decode(bytes), Err(DecodeError::Malformed));
        }

        #[test]
        fn a_flipped_bit_is_an_error_or_another_response(
            response in response(),
            at: proptest::sample::Index,
            bit in 0..8_u8,
        ) {
            let mut bytes = encoded(&response);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            match decode(bytes) {
                Err(DecodeError::Version(_)) => prop_assert_eq!(at, 0),
                Err(DecodeError::Malformed) => prop_assert_ne!(at, 0),
                // The case of a header's name has no meaning.
                Ok(other) => prop_assert!(other != response || bit == 5),
            }
        }

        #[test]
        fn no_octets_make_the_decoder_panic(mut bytes in vec(any::<u8>(), 0..200), known: bool) {
            if let (true, Some(version)) = (known, bytes.first_mut()) {
                *version = VERSION;
            }
            let decoded = decode(bytes);
            prop_assert!(decoded.is_err() || known);
        }
    }

    #[test]
    fn no_body_and_an_empty_body_are_told_apart() {
        let with = |body| StoredResponse::new(StatusCode::OK, [], body);
        let (none, empty) = (with(None), with(Some(Bytes::new())));
        assert!(decode(encoded(&none)) == Ok(none.clone()));
        assert!(decode(encoded(&empty)) == Ok(empty.clone()));
        assert_ne!(encoded(&none), encoded(&empty));
    }

    #[test]
    fn a_body_is_a_slice_of_the_stored_bytes() {
        let body = Some(Bytes::from_static(b"0123456789"));
        let bytes = Bytes::from(encoded(&StoredResponse::new(StatusCode::OK, [], body)));
        let end = bytes.as_ptr_range().end;
        let decoded = StoredResponse::decode(bytes).expect("a response");
        assert_eq!(
            decoded.body().map(|body| body.as_ptr_range().end),
            Some(end)
        );
    }

    #[test]
    fn a_length_that_is_not_there_is_malformed() {
        let mut bytes = encoded(&StoredResponse::new(StatusCode::OK, [], Some(Bytes::new())));
        bytes[6..14].fill(0xff);
        assert_eq!(decode(bytes), Err(DecodeError::Malformed));
    }

    #[test]
    fn the_time_of_an_answer_comes_back() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let timed = StoredResponse::new(StatusCode::OK, [], None).answered(at);
        let bytes = encoded(&timed);
        assert_eq!(bytes.len(), timed.encoded_len());
        let decoded = decode(bytes).expect("a response");
        assert_eq!(decoded.answered_at(), Some(at));
        let ever = [encoded(&timed)[..HEAD].to_vec(), vec![0xff; 8]].concat();
        assert_eq!(decode(ever).map(|it| it.answered_at().is_some()), Ok(true));
    }

    #[test]
    fn a_usual_reason_phrase_is_left_out() {
        let created = StoredResponse::new(StatusCode::CREATED, [], None);
        let usual = created.clone().with_reason(Some("Created"));
        assert!(usual == created);
        let own = created.clone().with_reason(Some(""));
        assert_eq!(own.reason(), Some(""));
        assert!(decode(encoded(&own)) == Ok(own));
    }

    #[test]
    fn a_reason_phrase_that_would_end_its_line_is_malformed() {
        let created = StoredResponse::new(StatusCode::CREATED, [], None);
        assert_eq!(
            created.clone().with_reason(Some("a\r\nb: c")).reason(),
            None
        );
        let mut bytes = encoded(&created.with_reason(Some("ab")));
        *bytes.last_mut().expect("octets") = b'\n';
        assert_eq!(decode(bytes), Err(DecodeError::Malformed));
    }

    #[test]
    fn too_many_header_lines_are_refused() {
        let line = (HeaderName::from_static("x"), HeaderValue::from_static(""));
        let with = |lines| {
            let lines = std::iter::repeat_n(line.clone(), lines);
            StoredResponse::new(StatusCode::OK, lines, None)
        };
        let most = with(MAX_HEADERS);
        assert!(decode(encoded(&most)) == Ok(most));
        assert_eq!(with(MAX_HEADERS + 1).encode(), Err(EncodeError));
    }

    /// Frozen with the version: records live longer than a deploy.
    #[test]
    fn the_stored_form_of_version_1_never_changes() {
        let location = HeaderName::from_static("location");
        let lines = [
            (location, HeaderValue::from_static("/1")),
            (HeaderName::from_static("x"), HeaderValue::from_static("")),
        ];
        let body = Some(Bytes::from_static(b"ok"));
        let response = StoredResponse::new(StatusCode::CREATED, lines, body);
        let hex = |response: &StoredResponse| -> String {
            let octets = encoded(response);
            octets.iter().map(|b| format!("{b:02x}")).collect()
        };
        assert_eq!(
            hex(&response),
            "010100c9000200000000000000020008000000020001000000006c6f636174696f6e2f31786f6b"
        );
        let odd = StoredResponse::new(StatusCode::CREATED, [], None);
        let odd = odd.with_reason(Some("Yes")).as_error();
        assert_eq!(hex(&odd), "010600c9000000000000000000000003596573");
        let timed = StoredResponse::new(StatusCode::CREATED, [], None);
        let timed = timed.answered(UNIX_EPOCH + Duration::from_millis(0x0102));
        assert_eq!(hex(&timed), "010800c9000000000000000000000000000000000102");
    }
}
