//! Digests of fields, each framed by its length. It knows octets, and not what they mean.

use std::cell::RefCell;

thread_local! {
    /// Where fields are framed. It stays with the thread, since every request needs it twice: two
    /// allocations fewer for each.
    static FRAME: RefCell<Frame> = const { RefCell::new(Frame(Vec::new())) };
}

/// Up to this many octets a body is framed with the rest. It is what BLAKE3 hashes as one chunk.
const SHORT: usize = blake3::CHUNK_LEN;

/// Fields on their way into a digest.
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    /// Lends this thread's frame, emptied, and gives back what one long field made of it.
    fn with<T>(act: impl FnOnce(&mut Self) -> T) -> T {
        FRAME.with_borrow_mut(|frame| {
            frame.0.clear();
            frame.0.shrink_to(4096);
            act(frame)
        })
    }

    /// Adds one field behind its length, so that no choice of contents can imitate a border.
    pub(crate) fn field(&mut self, octets: &[u8]) {
        self.number(octets.len());
        self.octets(octets);
    }

    /// Adds path and query as one field.
    pub(crate) fn target(&mut self, path: &str, query: Option<&str>) {
        self.number(path.len() + query.map_or(0, |query| 1 + query.len()));
        self.octets(path.as_bytes());
        if let Some(query) = query {
            self.octets(b"?");
            self.octets(query.as_bytes());
        }
    }

    /// Adds a number as LEB128: seven bits an octet, the lowest first, so that most take one.
    pub(crate) fn number(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Adds octets whose length is plain from what they are.
    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }
}

/// The digest of a body, and then of what is framed. A body that is copied sooner than a hasher takes two pieces is copied.
///
/// Its length comes last, in eight octets: of fewer, nobody who reads from the end could tell where they begin.
pub(crate) fn digest_of(body: &[u8], frame_rest: impl FnOnce(&mut Frame)) -> [u8; 32] {
    let length = (body.len() as u64).to_le_bytes();
    Frame::with(|frame| {
        if body.len() <= SHORT {
            frame.octets(body);
            frame_rest(frame);
            frame.octets(&length);
            return blake3::hash(&frame.0).into();
        }
        frame_rest(frame);
        frame.octets(&length);
        let mut hasher = blake3::Hasher::new();
        hasher.update(body).update(&frame.0).finalize().into()
    })
}

/// The digest of framed fields.
pub(crate) fn digest(fields: &[&[u8]]) -> [u8; 32] {
    Frame::with(|frame| {
        fields.iter().for_each(|octets| frame.field(octets));
        blake3::hash(&frame.0).into()
    })
}

/// The digest of framed fields for one use. No other use has the same digest, as each has a key of its own, which is no
/// secret.
pub(crate) fn digest_for(usage: &[u8; 32], fields: &[&[u8]]) -> [u8; 32] {
    Frame::with(|frame| {
        fields.iter().for_each(|octets| frame.field(octets));
        blake3::keyed_hash(usage, &frame.0).into()
    })
}

/// Octets as hexadecimal digits, two for each.
pub(crate) fn hexadecimal(octets: &[u8], digits: &mut [u8]) {
    // Without a table or a branch, so that many digits are made at once.
    let digit = |nibble: u8| nibble + b'0' + u8::from(nibble > 9) * (b'a' - b'9' - 1);
    for (pair, octet) in digits.chunks_exact_mut(2).zip(octets) {
        pair.copy_from_slice(&[octet >> 4, octet & 15].map(digit));
    }
}

/// The first four octets in hexadecimal: what logs and `Debug` may show of a digest.
pub(crate) fn short(digest: &[u8]) -> String {
    let mut digits = [0; 8];
    hexadecimal(digest, &mut digits);
    let digits = digits.into_iter().take(2 * digest.len());
    digits.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_told_from_what_is_framed_behind_it() {
        let long = [b'a'; 129];
        let rest = [&[b'a'; 128][..], &[0x81]].concat();
        let one = digest_of(b"a", |frame| frame.octets(&rest));
        assert_ne!(one, digest_of(&long, |_| ()));
    }

    #[test]
    fn how_long_a_body_is_changes_nothing_of_how_it_counts() {
        let (short, long) = ([b'a'; SHORT], [b'a'; SHORT + 1]);
        for body in [&short[..], &long] {
            let whole = [body, b"rest", &(body.len() as u64).to_le_bytes()].concat();
            let digest: [u8; 32] = blake3::hash(&whole).into();
            assert_eq!(digest_of(body, |frame| frame.octets(b"rest")), digest);
        }
    }
}
