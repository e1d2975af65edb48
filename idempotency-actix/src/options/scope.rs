//! The option that tells whose a key is: how the caller is derived from a request. It does not know what is done for
//! whom.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use actix_web::http::header::HeaderName;
use actix_web::{Error, HttpRequest, HttpResponse};

use super::provided::{By, Provided, Returns};
use crate::error::ConfigError;
use crate::request::{Caller, Principal, host};

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
/// // Owned data, since the request's extensions are borrowed only inside.
/// let scope = KeyScope::by(|req: &HttpRequest| {
///     req.extensions().get::<AccountId>().map(|id| id.0)
/// });
/// ```
#[derive(Clone, PartialEq)]
pub struct KeyScope {
    source: Source,
    is_per_host: bool,
}

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
    /// `None` is refused with 400 `no-scope`, and so is a principal that is empty: there is no bucket for the
    /// anonymous. The function returns [owned data](Principal), such as a number, a UUID or a `String`, and not a borrow of
    /// the request.
    pub fn by<F, T, K>(principal: F) -> Self
    where
        F: Fn(&HttpRequest) -> Option<T> + Send + Sync + 'static,
        T: Principal<K> + 'static,
        K: 'static,
    {
        Self::by_function(By::<_, (_, K)>::new(principal))
    }

    /// Scopes keys by a principal, or answers with the error; the principal is owned data here too,
    /// and an empty one is refused.
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
    pub fn try_by<F, T, E, K>(principal: F) -> Self
    where
        F: Fn(&HttpRequest) -> Result<T, E> + Send + Sync + 'static,
        T: Principal<K> + 'static,
        E: Into<Error> + 'static,
        K: 'static,
    {
        Self::by_function(By::<_, (_, K)>::new(principal))
    }

    /// Scopes keys by a request header: every line of it, hashed. A request without it, or with a
    /// line that is empty, is refused with 400 `no-scope`.
    ///
    /// For **long-lived API keys** only. A credential that changes between try and retry, such as a
    /// refreshed access token, makes the retry another caller's: the handler runs a second time.
    /// Whoever uses such credentials scopes [`by`](Self::by) the principal behind them.
    ///
    /// A name that is no header name is refused when the layer is built.
    pub fn header(name: &str) -> Self {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        Self::of_source(Source::Header(Arc::new(
            parsed.map_err(|_| name.to_owned()),
        )))
    }

    /// Lets all callers share one space of keys: whoever knows a key gets its answer.
    ///
    /// For a service that has one caller, or keys that nobody can guess.
    pub fn everyone() -> Self {
        Self::of_source(Source::Everyone)
    }

    /// Makes callers of two hosts two callers, for tenants that are told by their host.
    ///
    /// The host is what the request itself names: that of its target, as HTTP/2 has it, or its `Host`, in lower
    /// case, with the port as it was sent. No header of a proxy counts; behind one that sends another
    /// `Host`, scope [`by`](Self::by) the tenant instead. A request that names no host, or two, is refused with
    /// 400 `no-scope`.
    ///
    /// Not for one service under several names: a client that balances between them by itself would be
    /// another caller with each try, and each of them would run. Where handlers of one path are chosen by
    /// `Host`, and a key must not run twice,
    /// [`vary`](crate::IdempotencyBuilder::vary) is right instead.
    pub fn per_host(mut self) -> Self {
        self.is_per_host = true;
        self
    }

    fn by_function(function: impl ScopeFn + 'static) -> Self {
        Self::of_source(Source::By(Provided::Shared(Arc::new(function))))
    }

    const fn of_source(source: Source) -> Self {
        Self {
            source,
            is_per_host: false,
        }
    }

    #[doc(hidden)]
    pub const fn fixed(principal: &'static dyn ScopeFn) -> Self {
        Self::of_source(Source::By(Provided::Fixed(principal)))
    }

    /// Whether it tells callers as the other does, by a function of the same type where it is one: a closure that is
    /// made anew is of the type that it was.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let is_like = match (&self.source, &other.source) {
            (Source::By(one), Source::By(other)) => one.kind() == other.kind(),
            (one, other) => one == other,
        };
        is_like && self.is_per_host == other.is_per_host
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match &self.source {
            Source::Header(name) => match &**name {
                Ok(_) => Ok(()),
                Err(name) => Err(ConfigError::HeaderName(name.clone())),
            },
            _ => Ok(()),
        }
    }

    pub(crate) fn of(&self, request: &HttpRequest) -> Result<Caller, NoScope> {
        let caller = match &self.source {
            Source::Everyone => Caller::everyone(),
            Source::Header(name) => match &**name {
                Ok(name) => of_header(request, name).ok_or(NoScope::Missing)?,
                Err(_) => return Err(NoScope::Missing),
            },
            Source::By(principal) => principal.of(request)?,
        };
        if !self.is_per_host {
            return Ok(caller);
        }
        let host = host(request).ok_or(NoScope::Missing)?;
        Ok(caller.at_host(host))
    }
}

impl fmt::Debug for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Everyone => f.write_str("KeyScope::everyone"),
            Source::Header(name) => write!(f, "KeyScope::header({:?})", **name),
            Source::By(_) => f.write_str("KeyScope::by"),
        }?;
        f.write_str(if self.is_per_host { ".per_host" } else { "" })
    }
}

/// The caller by all lines of a header. An empty one among them tells of a credential that is lost.
fn of_header(request: &HttpRequest, name: &HeaderName) -> Option<Caller> {
    let lines = request.headers().get_all(name).map(|line| line.as_bytes());
    let is_whole = lines.clone().all(|line| !line.trim_ascii().is_empty());
    is_whole.then(|| Caller::lines(lines)).flatten()
}

/// The caller that a function names. Nobody in particular is nobody.
fn of_principal<K>(principal: impl Principal<K>) -> Result<Caller, NoScope> {
    match principal.octets().as_ref() {
        [] => Err(NoScope::Missing),
        octets => Ok(Caller::principal(octets)),
    }
}

/// A function that tells the caller.
#[diagnostic::on_unimplemented(
    message = "the option `scope` cannot take this function",
    label = "expected a function that tells the caller",
    note = "expected `fn(&HttpRequest) -> Option<T>` or `fn(&HttpRequest) -> Result<T, E>`",
    note = "return owned data as `T`: an integer, a `Uuid`, a `String`, or whatever else is `AsRef<[u8]>`, and no borrow",
    note = "and as `E` what implements `Into<actix_web::Error>`"
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
impl<F, R, K> ScopeFn for By<F, (R, K)>
where
    F: Returns<HttpRequest, R>,
    R: IntoCaller<K>,
{
    fn of(&self, request: &HttpRequest) -> Result<Caller, NoScope> {
        self.0.call(request).into_caller()
    }
}

/// What a function may return that tells the caller.
pub trait IntoCaller<K> {
    /// Takes it for a principal.
    fn into_caller(self) -> Result<Caller, NoScope>;
}

impl<T: Principal<K>, K> IntoCaller<K> for Option<T> {
    fn into_caller(self) -> Result<Caller, NoScope> {
        self.ok_or(NoScope::Missing).and_then(of_principal)
    }
}

impl<T: Principal<K>, E: Into<Error>, K> IntoCaller<K> for Result<T, E> {
    fn into_caller(self) -> Result<Caller, NoScope> {
        self.map_err(|error| NoScope::Answer(Box::new(HttpResponse::from_error(error))))
            .and_then(of_principal)
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
