//! The option that tells what makes two requests the same.

use std::any::TypeId;
use std::convert::Infallible;
use std::sync::Arc;

use actix_web::HttpRequest;
#[cfg(feature = "json")]
use actix_web::http::header::CONTENT_TYPE;

use super::provided::{By, Provided};
use crate::request::Fingerprint;
#[cfg(any(feature = "json", feature = "multipart"))]
use crate::request::media_type;
#[cfg(feature = "json")]
use crate::request::{canonical, json_type};
#[cfg(feature = "multipart")]
use crate::request::{multipart_type, parts};

/// What makes two requests under one key the same request.
///
/// A retry that is not the same is answered 422 `key-reused`. The choice may change between releases:
/// a record keeps the scheme that it was written by, and a retry is compared by that. Only a function cannot
/// be left or changed so: retries of records from before are answered 503, or 422 by another function, until
/// those are over.
///
/// Two are equal if they are of the same function, and not of one that does the same.
///
/// # Examples
///
/// A provider signs each delivery anew, inside the body; what counts is the event:
///
/// ```
/// use actix_web::HttpRequest;
/// use idempotency_actix::{Fingerprinting, RouteOptions};
///
/// fn event(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
///     let lines = body.split_inclusive(|&byte| byte == b'\n');
///     lines.filter(|line| !line.starts_with(b"signature:")).flatten().copied().collect()
/// }
///
/// let hook = RouteOptions::new().fingerprint(Fingerprinting::by(event));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprinting(Mode);

#[derive(Clone, Debug, PartialEq)]
enum Mode {
    Bytes,
    #[cfg(feature = "json")]
    Json,
    #[cfg(feature = "multipart")]
    Multipart,
    By(Provided<dyn FingerprintFn>),
}

impl Fingerprinting {
    /// The same octets of the body, under the same path, query, `Content-Type` and `Content-Encoding`.
    ///
    /// The default: a client library that retries sends what it has sent.
    pub const fn bytes() -> Self {
        Self(Mode::Bytes)
    }

    /// The same as [`bytes`](Self::bytes), but a JSON body counts in its canonical form of RFC 8785: the
    /// order of keys and white space do not matter, and 1, 1.0 and 1e0 are one number. So does its media
    /// type by what it means: `application/json` is the same as `Application/JSON; charset="utf-8"`, while
    /// other types and parameters count.
    ///
    /// For clients that build the body again for each retry. Numbers are doubles there: fractions that
    /// are one double are one number, so send amounts as whole numbers or text. Whole numbers beyond 2^53
    /// have no canonical form; nor have objects with the same key twice, bodies that are compressed, and
    /// what is no JSON by its text or by its `Content-Type`, if it has one. Such a body counts by its octets. The whole body is parsed for it, before the
    /// handler's extractors run.
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub const fn json() -> Self {
        Self(Mode::Json)
    }

    /// The same as [`bytes`](Self::bytes), but of a `multipart` body its parts count, in their order, each
    /// by its headers and its content as they were sent, and the boundary between them does not.
    ///
    /// For clients that build a form again for each retry, with a new boundary. A body counts by its octets
    /// where it is no whole multipart body, and so does a multipart body inside of a part. The body is copied
    /// for it, before the handler's extractors run.
    #[cfg(feature = "multipart")]
    #[cfg_attr(docsrs, doc(cfg(feature = "multipart")))]
    pub const fn multipart() -> Self {
        Self(Mode::Multipart)
    }

    /// Whatever a function makes of request and body, **and nothing else** but what
    /// [`vary`](crate::IdempotencyBuilder::vary) names: where the query or the content type matters, it has
    /// to be in the result.
    ///
    /// For bodies that hold a signature or a time which changes with each retry. The function is called
    /// with the whole body, before the handler's arguments are extracted.
    pub fn by<F, T>(function: F) -> Self
    where
        F: Fn(&HttpRequest, &[u8]) -> T + Send + Sync + 'static,
        T: AsRef<[u8]> + 'static,
    {
        Self(Mode::By(Provided::Shared(Arc::new(By::<F, (T,)>::new(
            function,
        )))))
    }

    #[doc(hidden)]
    pub const fn fixed(function: &'static dyn FingerprintFn) -> Self {
        Self(Mode::By(Provided::Fixed(function)))
    }

    pub(crate) fn of(&self, request: &HttpRequest, body: &[u8]) -> Fingerprint {
        match &self.0 {
            Mode::Bytes => Fingerprint::of_bytes(request, body),
            #[cfg(feature = "json")]
            Mode::Json => of_json(request, body),
            #[cfg(feature = "multipart")]
            Mode::Multipart => of_multipart(request, body),
            Mode::By(function) => Fingerprint::of_result(&function.of(request, body)),
        }
    }

    /// Whether it is the other, or a function of the same type.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Mode::By(one), Mode::By(other)) => one.kind() == other.kind(),
            (one, other) => one == other,
        }
    }

    /// The same by the scheme of a record, where it can still be computed.
    pub(crate) fn by_scheme(
        &self,
        scheme: u8,
        request: &HttpRequest,
        body: &[u8],
    ) -> Option<Fingerprint> {
        match (scheme, &self.0) {
            (Fingerprint::BYTES, _) => Some(Self::bytes().of(request, body)),
            #[cfg(feature = "json")]
            (Fingerprint::JSON, _) => Some(Self::json().of(request, body)),
            #[cfg(feature = "multipart")]
            (Fingerprint::MULTIPART, _) => Some(Self::multipart().of(request, body)),
            (Fingerprint::FUNCTION, Mode::By(_)) => Some(self.of(request, body)),
            _ => None,
        }
    }
}

#[cfg(feature = "json")]
fn of_json(request: &HttpRequest, body: &[u8]) -> Fingerprint {
    let media = media_type(request).and_then(|media| json_type(&media));
    let is_json = media.is_some() || !request.headers().contains_key(CONTENT_TYPE);
    let canonical = is_json.then(|| canonical(body)).flatten();
    Fingerprint::of_json(request, body, media.as_deref(), canonical.as_deref())
}

#[cfg(feature = "multipart")]
fn of_multipart(request: &HttpRequest, body: &[u8]) -> Fingerprint {
    let media = media_type(request).and_then(|media| multipart_type(&media));
    let parts = media.and_then(|(boundary, form)| Some((form, parts(body, &boundary)?)));
    let parts = parts.as_ref().map(|(form, parts)| (form.as_str(), parts));
    Fingerprint::of_parts(request, body, parts)
}

/// A function that says what of a request counts.
#[diagnostic::on_unimplemented(
    message = "the option `fingerprint` cannot take this function",
    label = "expected a function that says what of a request counts",
    note = "expected `fn(&HttpRequest, &[u8]) -> T`",
    note = "return owned data as `T`: a `Vec<u8>`, or whatever else is `AsRef<[u8]>`, and no borrow"
)]
pub trait FingerprintFn: Send + Sync {
    /// Says it.
    fn of(&self, request: &HttpRequest, body: &[u8]) -> Vec<u8>;

    /// Tells one function from another.
    fn kind(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<Self>()
    }
}

#[diagnostic::do_not_recommend]
impl<F, T> FingerprintFn for By<F, T>
where
    F: Counts<T>,
{
    fn of(&self, request: &HttpRequest, body: &[u8]) -> Vec<u8> {
        self.0.call(request, body)
    }
}

/// A function whose result is owned octets.
///
/// No function has the second implementation. Since there is one, the compiler says of a function which returns a borrow that
/// it has neither, where it would compare lifetimes.
pub trait Counts<T>: Send + Sync {
    /// Calls it.
    fn call(&self, request: &HttpRequest, body: &[u8]) -> Vec<u8>;
}

#[diagnostic::do_not_recommend]
impl<F, T> Counts<(T,)> for F
where
    F: Fn(&HttpRequest, &[u8]) -> T + Send + Sync,
    T: AsRef<[u8]>,
{
    fn call(&self, request: &HttpRequest, body: &[u8]) -> Vec<u8> {
        self(request, body).as_ref().to_owned()
    }
}

#[diagnostic::do_not_recommend]
impl<F> Counts<Infallible> for F
where
    F: Fn(Infallible) -> Infallible + Send + Sync,
{
    fn call(&self, _: &HttpRequest, _: &[u8]) -> Vec<u8> {
        Vec::new()
    }
}
