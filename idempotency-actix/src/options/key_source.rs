//! The option that tells where a route's keys come from: a header, or a function.

use std::any::TypeId;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

use super::provided::{By, Provided};
use crate::error::ConfigError;
use crate::request::{InvalidKey, Key};

/// Where the key is, as it was written.
#[derive(Clone, Debug)]
pub(crate) enum KeyName {
    Header(Provided<str>),
    By(Provided<dyn KeyFn>),
}

impl KeyName {
    pub(crate) fn is_header(&self) -> bool {
        matches!(self, Self::Header(_))
    }

    pub(crate) fn resolve(&self) -> Result<KeySource, ConfigError> {
        match self {
            Self::Header(name) => HeaderName::from_bytes(name.as_bytes())
                .map(KeySource::Header)
                .map_err(|_| ConfigError::HeaderName((**name).to_owned())),
            Self::By(key) => Ok(KeySource::By(key.clone())),
        }
    }
}

/// Where the key is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KeySource {
    Header(HeaderName),
    By(Provided<dyn KeyFn>),
}

impl KeySource {
    /// The request's key; `None` if it has none.
    pub(crate) fn key(
        &self,
        request: &HttpRequest,
        strict: bool,
    ) -> Option<Result<Key, InvalidKey>> {
        match self {
            Self::Header(name) => Key::from_headers(request.headers(), name, strict),
            Self::By(key) => key.of(request).map(|key| Key::new(&key)),
        }
    }

    pub(crate) fn is_in(&self, request: &HttpRequest) -> bool {
        match self {
            Self::Header(name) => request.headers().contains_key(name),
            Self::By(key) => key.of(request).is_some(),
        }
    }

    /// Whether it is the other, or a function of the same type.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::By(one), Self::By(other)) => one.kind() == other.kind(),
            (one, other) => one == other,
        }
    }

    pub(crate) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Header(name) => Some(name),
            Self::By(_) => None,
        }
    }
}

/// A function that reads the key from the request, `None` if it has none.
#[diagnostic::on_unimplemented(
    message = "the option `key` cannot take this function",
    label = "expected a function that reads the key",
    note = "expected `fn(&HttpRequest) -> Option<T>`",
    note = "where `T` is owned and implements `AsRef<str>`"
)]
pub trait KeyFn: Send + Sync {
    /// Reads it.
    fn of(&self, request: &HttpRequest) -> Option<String>;

    /// Tells one function from another.
    fn kind(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<Self>()
    }
}

#[diagnostic::do_not_recommend]
impl<F, T> KeyFn for By<F, T>
where
    F: Fn(&HttpRequest) -> Option<T> + Send + Sync,
    T: AsRef<str>,
{
    fn of(&self, request: &HttpRequest) -> Option<String> {
        (self.0)(request).map(|key| key.as_ref().to_owned())
    }
}
