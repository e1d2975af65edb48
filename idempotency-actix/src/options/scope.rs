//! Whose key it is. It does not know what is done for whom.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use actix_web::http::header::HeaderName;
use actix_web::{Error, HttpRequest, HttpResponse};

use super::provided::{By, Provided};
use crate::error::ConfigError;
use crate::request::Caller;

/// Which caller owns a key.
///
/// Two callers that happen to send the same key must never see each other's answer, so there is no
/// default: the scope is an argument of every constructor.
///
/// - [`by`](Self::by) a principal is right nearly always: the account, tenant or user that the
///   application's authentication established.
/// - [`header`](Self::header) is for long-lived API keys only.
/// - [`everyone`](Self::everyone) is for services with a single caller.
///
/// On a handler marked with `#[idempotent]` the scope is derived after the handler's arguments were
/// extracted, so an extractor that authenticates answers its own 401 first and may put the principal
/// where the closure finds it. In all-routes mode it is derived before anything inside the layer
/// runs: authentication must then be wrapped around the layer.
///
/// Two are equal if they tell the caller by the same function, and not by one that does the same.
///
/// # Examples
///
/// ```
/// use actix_web::{HttpMessage, HttpRequest};
/// use idempotency_actix::KeyScope;
///
/// #[derive(Clone)]
/// struct AccountId(u64);
///
/// // Closures return owned data, since the request's extensions are borrowed only inside.
/// let scope = KeyScope::by(|req: &HttpRequest| {
///     req.extensions().get::<AccountId>().map(|id| id.0.to_be_bytes())
/// });
/// ```
#[derive(Clone, PartialEq)]
pub struct KeyScope(Source);

#[derive(Clone, PartialEq)]
enum Source {
    Everyone,
    /// Behind a pointer, since a header's name may count references, which no constant can.
    Header(Arc<Result<HeaderName, String>>),
    By(Provided<dyn ScopeFn>),
}

impl KeyScope {
    /// Scopes keys by a principal that the application authenticated.
    ///
    /// `None` is refused with 400 `no-scope`: there is no bucket for the anonymous. The closure
    /// returns owned data, such as an array or a `String`, and not a borrow of the request.
    pub fn by<F, T>(principal: F) -> Self
    where
        F: Fn(&HttpRequest) -> Option<T> + Send + Sync + 'static,
        T: AsRef<[u8]> + 'static,
    {
        Self(Source::By(Provided::Shared(Arc::new(By::new(principal)))))
    }

    /// Scopes keys by a principal, or answers with the error; the principal is owned data here too.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_web::{HttpMessage, HttpRequest, error::ErrorUnauthorized};
    /// use idempotency_actix::KeyScope;
    ///
    /// let scope = KeyScope::try_by(|req: &HttpRequest| {
    ///     let account = req.extensions().get::<String>().cloned();
    ///     account.ok_or_else(|| ErrorUnauthorized("sign in first"))
    /// });
    /// ```
    pub fn try_by<F, T, E>(principal: F) -> Self
    where
        F: Fn(&HttpRequest) -> Result<T, E> + Send + Sync + 'static,
        T: AsRef<[u8]> + 'static,
        E: Into<Error> + 'static,
    {
        Self(Source::By(Provided::Shared(Arc::new(By::new(principal)))))
    }

    /// Scopes keys by a request header: every line of it, hashed. A request without it is refused
    /// with 400 `no-scope`.
    ///
    /// For **long-lived API keys** only. A credential that changes between try and retry, such as a
    /// refreshed access token, makes the retry another caller's: the handler runs a second time.
    /// Whoever uses such credentials scopes [`by`](Self::by) the principal behind them.
    ///
    /// A name that is no header name is refused when the layer is built.
    pub fn header(name: &str) -> Self {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        Self(Source::Header(Arc::new(
            parsed.map_err(|_| name.to_owned()),
        )))
    }

    /// Lets all callers share one space of keys: whoever knows a key gets its answer.
    ///
    /// For a service that has one caller, or keys that nobody can guess.
    pub fn everyone() -> Self {
        Self(Source::Everyone)
    }

    #[doc(hidden)]
    pub const fn fixed(principal: &'static dyn ScopeFn) -> Self {
        Self(Source::By(Provided::Fixed(principal)))
    }

    /// Whether it tells callers as the other does, by a function of the same type where it is one: a closure that is
    /// made anew is of the type that it was.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Source::By(one), Source::By(other)) => one.kind() == other.kind(),
            (one, other) => one == other,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match &self.0 {
            Source::Header(name) => match &**name {
                Ok(_) => Ok(()),
                Err(name) => Err(ConfigError::HeaderName(name.clone())),
            },
            _ => Ok(()),
        }
    }

    pub(crate) fn of(&self, request: &HttpRequest) -> Result<Caller, NoScope> {
        match &self.0 {
            Source::Everyone => Ok(Caller::everyone()),
            Source::Header(name) => match &**name {
                Ok(name) => {
                    let lines = request.headers().get_all(name);
                    Caller::lines(lines.map(|line| line.as_bytes())).ok_or(NoScope::Missing)
                }
                Err(_) => Err(NoScope::Missing),
            },
            Source::By(principal) => principal.of(request),
        }
    }
}

impl fmt::Debug for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Everyone => f.write_str("KeyScope::everyone"),
            Source::Header(name) => write!(f, "KeyScope::header({:?})", **name),
            Source::By(_) => f.write_str("KeyScope::by"),
        }
    }
}

/// A function that tells the caller.
#[diagnostic::on_unimplemented(
    message = "the option `scope` cannot take this function",
    label = "expected a function that tells the caller",
    note = "expected `fn(&HttpRequest) -> Option<T>` or `fn(&HttpRequest) -> Result<T, E>`",
    note = "where `T` is owned and implements `AsRef<[u8]>`, and `E` implements `Into<actix_web::Error>`"
)]
pub trait ScopeFn: Send + Sync {
    /// Tells it.
    fn of(&self, request: &HttpRequest) -> Result<Caller, NoScope>;

    /// Tells one function from another.
    fn kind(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<Self>()
    }
}

#[diagnostic::do_not_recommend]
impl<F, R> ScopeFn for By<F, R>
where
    F: Fn(&HttpRequest) -> R + Send + Sync,
    R: IntoCaller,
{
    fn of(&self, request: &HttpRequest) -> Result<Caller, NoScope> {
        (self.0)(request).into_caller()
    }
}

/// What a function may return that tells the caller.
pub trait IntoCaller {
    /// Takes it for a principal.
    fn into_caller(self) -> Result<Caller, NoScope>;
}

impl<T: AsRef<[u8]>> IntoCaller for Option<T> {
    fn into_caller(self) -> Result<Caller, NoScope> {
        self.map(Caller::principal).ok_or(NoScope::Missing)
    }
}

impl<T: AsRef<[u8]>, E: Into<Error>> IntoCaller for Result<T, E> {
    fn into_caller(self) -> Result<Caller, NoScope> {
        self.map(Caller::principal)
            .map_err(|error| NoScope::Answer(Box::new(HttpResponse::from_error(error))))
    }
}

/// Why no caller could be told.
#[derive(Debug)]
pub enum NoScope {
    /// There is none.
    Missing,
    /// The application has an answer of its own.
    Answer(Box<HttpResponse>),
}
