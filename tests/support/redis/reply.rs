//! A server's reply, as it comes over the wire.

/// A reply in RESP2; the further types of RESP3 are mapped to these.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A status such as `OK`, and RESP3's numbers, truth values.
    Simple(String),
    /// An error, with its code in front.
    Error(String),
    /// An integer.
    Int(i64),
    /// Octets.
    Bulk(Vec<u8>),
    /// Nothing.
    Nil,
    /// A list; a map is its keys and values in turn.
    Array(Vec<Reply>),
    /// What a server says unasked, in RESP3.
    Push(Vec<Reply>),
}

impl Reply {
    /// A status or octets, as text.
    ///
    /// # Panics
    ///
    /// If it is something else.
    pub fn text(self) -> String {
        match self {
            Self::Simple(text) => text,
            Self::Bulk(octets) => String::from_utf8_lossy(&octets).into_owned(),
            other => panic!("expected text, got {other:?}"),
        }
    }

    /// An integer.
    ///
    /// # Panics
    ///
    /// If it is something else.
    pub fn int(self) -> i64 {
        match self {
            Self::Int(number) => number,
            other => panic!("expected an integer, got {other:?}"),
        }
    }

    /// A list's items.
    ///
    /// # Panics
    ///
    /// If it is something else.
    pub fn items(self) -> Vec<Self> {
        match self {
            Self::Array(items) => items,
            other => panic!("expected a list, got {other:?}"),
        }
    }

    /// Reads the first reply and its length; `None` if it is not all there yet.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let line = String::from_utf8_lossy(&bytes[1..end]).into_owned();
        let body = end + 2;
        match bytes[0] {
            b'-' => Some((Self::Error(line), body)),
            b':' => Some((Self::Int(number(&line)), body)),
            b'_' => Some((Self::Nil, body)),
            b'$' | b'=' | b'!' | b'*' | b'~' | b'>' if number(&line) < 0 => Some((Self::Nil, body)),
            kind @ (b'$' | b'=' | b'!') => {
                let length = usize::try_from(number(&line)).expect("not negative");
                let octets = bytes.get(body..body + length + 2)?[..length].to_vec();
                let reply = match kind {
                    b'!' => Self::Error(String::from_utf8_lossy(&octets).into_owned()),
                    _ => Self::Bulk(octets),
                };
                Some((reply, body + length + 2))
            }
            kind @ (b'*' | b'~' | b'>' | b'%' | b'|') => {
                let pairs = if matches!(kind, b'%' | b'|') { 2 } else { 1 };
                let (items, size) = Self::parse_many(&bytes[body..], pairs * number(&line))?;
                let size = body + size;
                match kind {
                    // An attribute stands before the reply it belongs to.
                    b'|' => Self::parse(&bytes[size..]).map(|(reply, more)| (reply, size + more)),
                    b'>' => Some((Self::Push(items), size)),
                    _ => Some((Self::Array(items), size)),
                }
            }
            _ => Some((Self::Simple(line), body)),
        }
    }

    fn parse_many(bytes: &[u8], count: i64) -> Option<(Vec<Self>, usize)> {
        let (mut items, mut size) = (Vec::new(), 0);
        for _ in 0..count {
            let (item, more) = Self::parse(&bytes[size..])?;
            items.push(item);
            size += more;
        }
        Some((items, size))
    }
}

fn number(line: &str) -> i64 {
    line.parse().expect("an integer")
}
