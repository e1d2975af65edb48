//! Which headers of an answer its record keeps, beside those that no record has. It does not know the answer.

use actix_web::http::header::{self, HeaderName};

use super::header_names::HeaderNames;
use super::route_options::RouteOptions;
use crate::error::ConfigError;

/// What an answer means nothing without, or something else: of what its body is, and what its status refers to.
const INDISPENSABLE: [HeaderName; 13] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::VARY,
    header::CACHE_CONTROL,
    header::WWW_AUTHENTICATE,
    header::ALLOW,
    header::RETRY_AFTER,
];

/// The headers that a record keeps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KeptHeaders {
    AllBut(HeaderNames),
    /// Beside those that an answer cannot be without.
    Only(HeaderNames),
}

impl RouteOptions {
    /// What the route has chosen, if it has.
    pub(super) fn kept_headers(&self) -> Option<Result<KeptHeaders, ConfigError>> {
        match (&self.drop_headers, &self.keep_headers) {
            (Some(_), Some(_)) => Some(Err(ConfigError::HeadersTwice)),
            (Some(dropped), None) => Some(dropped.resolve().map(KeptHeaders::AllBut)),
            (None, Some(kept)) => Some(kept.resolve().map(KeptHeaders::Only)),
            (None, None) => None,
        }
    }
}

impl KeptHeaders {
    pub(crate) fn keep(&self, name: &HeaderName) -> bool {
        match self {
            Self::AllBut(dropped) => !dropped.names().contains(name),
            // Whether cookies are kept is an option of its own.
            Self::Only(_) if name == header::SET_COOKIE => true,
            Self::Only(kept) => INDISPENSABLE.contains(name) || kept.names().contains(name),
        }
    }

    /// The first that may not be dropped: nobody could read the body.
    pub(super) fn dropped_in_error(&self) -> Option<&HeaderName> {
        let Self::AllBut(dropped) = self else {
            return None;
        };
        let mut names = dropped.names().iter();
        names.find(|name| [header::CONTENT_TYPE, header::CONTENT_ENCODING].contains(name))
    }
}
