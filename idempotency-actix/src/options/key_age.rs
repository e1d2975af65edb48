//! How old a key may be, and whether one is older. It asks no store: what is too old is refused whatever is recorded.

use std::time::Duration;

use actix_web::HttpRequest;

use super::resolved::Options;
use crate::request::{InvalidFirstSent, InvalidKey, Key, first_sent};
use crate::store::clock::Clock;

/// How far the clock of a client may be off, either way, where the age of keys is bounded: 5 minutes.
pub const KEY_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// Why a good key is refused for its time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Untimely {
    Expired {
        max_key_age: Duration,
    },
    Key(InvalidKey),
    FirstSent(InvalidFirstSent),
    /// A handler's attribute bounds the age of keys that have no time.
    NoTime,
}

impl Options {
    /// Whether the age of a key can be told.
    pub(super) fn tells_time(&self) -> bool {
        self.first_sent_header.is_some() || self.key_format.has_time()
    }

    /// Refuses a key that is too old for a retry to be safe, or that will be so too late.
    pub(crate) fn check_age(
        &self,
        request: &HttpRequest,
        key: &Key,
        clock: &Clock,
    ) -> Result<(), Untimely> {
        let Some(max_key_age) = self.max_key_age else {
            return Ok(());
        };
        let (time, ahead) = match &self.first_sent_header {
            Some(name) => {
                let time = first_sent(request.headers(), name).map_err(Untimely::FirstSent)?;
                (time, Untimely::FirstSent(InvalidFirstSent::Ahead))
            }
            None => {
                let time = self.key_format.time_of(key).ok_or(Untimely::NoTime)?;
                (time, Untimely::Key(InvalidKey::Ahead))
            }
        };
        match clock.time_of_day().duration_since(time) {
            Ok(age) if age > max_key_age + KEY_CLOCK_SKEW => Err(Untimely::Expired { max_key_age }),
            Err(early) if early.duration() > KEY_CLOCK_SKEW => Err(ahead),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// How long a finished record is kept: for its `ttl`, and where the age of keys is bounded, longer than any of them is
    /// let in. A key may be older than its bound by the skew, and came first when it was ahead by as much.
    pub(crate) fn kept_for(&self) -> Duration {
        match self.max_key_age {
            Some(max_key_age) => self.ttl.max(max_key_age) + 2 * KEY_CLOCK_SKEW,
            None => self.ttl,
        }
    }
}
