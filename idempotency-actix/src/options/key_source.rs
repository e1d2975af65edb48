//! The option that tells where a route's keys come from: a header, a function, or first the one and then the other.

use std::any::TypeId;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use actix_web::web::Bytes;

use super::provided::{By, Provided};
use crate::error::ConfigError;
use crate::request::{InvalidKey, Key};

/// Where the key is, as it was written: the header comes first. At least one of them is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyNames {
    pub(crate) header: Option<Provided<str>>,
    pub(crate) function: Option<Provided<dyn KeyFn>>,
}

impl KeyNames {
    pub(crate) const NONE: Self = Self {
        header: None,
        function: None,
    };

    pub(crate) fn are_set(&self) -> bool {
        self.header.is_some() || self.function.is_some()
    }

    pub(crate) fn resolve(&self) -> Result<KeySource, ConfigError> {
        let parse = |name: &Provided<str>| {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| ConfigError::HeaderName((**name).to_owned()))
        };
        Ok(KeySource {
            header: self.header.as_ref().map(parse).transpose()?,
            function: self.function.clone(),
        })
    }
}

/// Where the key is: first the header, then what the function finds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeySource {
    header: Option<HeaderName>,
    function: Option<Provided<dyn KeyFn>>,
}

/// What is found of a key before the body is read.
pub(crate) enum Sought {
    Found(Result<Key, InvalidKey>),
    /// It may be in the body.
    InBody,
    Nowhere,
}

impl KeySource {
    pub(crate) fn of_header(name: HeaderName) -> Self {
        Self {
            header: Some(name),
            function: None,
        }
    }

    /// Looks for the request's key in its head.
    pub(crate) fn seek(&self, request: &HttpRequest, strict: bool) -> Sought {
        let header = self.header.as_ref();
        let key = header.and_then(|name| Key::from_headers(request.headers(), name, strict));
        match (key, &self.function) {
            (Some(key), _) => Sought::Found(key),
            (None, Some(function)) if function.reads_body() => Sought::InBody,
            (None, Some(function)) => match function.of(request, &[]) {
                Some(key) => Sought::Found(Key::new(&key)),
                None => Sought::Nowhere,
            },
            (None, None) => Sought::Nowhere,
        }
    }

    /// Looks for it in the body, where the head has none.
    pub(crate) fn in_body(
        &self,
        request: &HttpRequest,
        body: &[u8],
    ) -> Option<Result<Key, InvalidKey>> {
        let key = self.function.as_ref()?.of(request, body)?;
        Some(Key::new(&key))
    }

    /// Whether it is the other, or a function of the same type.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let kind = |it: &Self| it.function.as_ref().map(|function| function.kind());
        self.header == other.header && kind(self) == kind(other)
    }

    pub(crate) fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }
}

/// A function that finds the key of a request: `Fn(&HttpRequest) -> Option<T>`, or with the whole body
/// `Fn(&HttpRequest, &[u8]) -> Option<T>`, where `T` is owned and implements `AsRef<str>`.
///
/// What `Args` are follows from the function.
pub trait KeyFunction<Args>: Send + Sync {
    #[doc(hidden)]
    const READS_BODY: bool;

    #[doc(hidden)]
    fn find(&self, request: &HttpRequest, body: &[u8]) -> Option<String>;
}

impl<F, T> KeyFunction<(HttpRequest, T)> for F
where
    F: Fn(&HttpRequest) -> Option<T> + Send + Sync,
    T: AsRef<str>,
{
    const READS_BODY: bool = false;

    fn find(&self, request: &HttpRequest, _: &[u8]) -> Option<String> {
        self(request).map(|key| key.as_ref().to_owned())
    }
}

impl<F, T> KeyFunction<(HttpRequest, Bytes, T)> for F
where
    F: Fn(&HttpRequest, &[u8]) -> Option<T> + Send + Sync,
    T: AsRef<str>,
{
    const READS_BODY: bool = true;

    fn find(&self, request: &HttpRequest, body: &[u8]) -> Option<String> {
        self(request, body).map(|key| key.as_ref().to_owned())
    }
}

/// A function that finds the key, whatever it looks at.
#[diagnostic::on_unimplemented(
    message = "the option `key` cannot take this function",
    label = "expected a function that finds the key",
    note = "expected `fn(&HttpRequest) -> Option<T>` or `fn(&HttpRequest, &[u8]) -> Option<T>`",
    note = "return owned data as `T`: a `String`, or whatever else is `AsRef<str>`, and no borrow"
)]
pub trait KeyFn: Send + Sync {
    /// Finds it; the body is empty unless it [reads](Self::reads_body) one.
    fn of(&self, request: &HttpRequest, body: &[u8]) -> Option<String>;

    /// Whether it has to be given the body.
    fn reads_body(&self) -> bool;

    /// Tells one function from another.
    fn kind(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<Self>()
    }
}

#[diagnostic::do_not_recommend]
impl<F, Args> KeyFn for By<F, Args>
where
    F: KeyFunction<Args>,
{
    fn of(&self, request: &HttpRequest, body: &[u8]) -> Option<String> {
        self.0.find(request, body)
    }

    fn reads_body(&self) -> bool {
        F::READS_BODY
    }
}
