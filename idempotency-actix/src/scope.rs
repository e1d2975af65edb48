use std::fmt;
use std::sync::Arc;

use actix_web::http::header::HeaderName;
use actix_web::{Error, HttpRequest, HttpResponse};

use crate::error::ConfigError;

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
#[derive(Clone)]
pub struct KeyScope(Source);

#[derive(Clone)]
enum Source {
    Everyone,
    Header(Result<HeaderName, String>),
    By(Arc<Derive>),
}

type Derive = dyn Fn(&HttpRequest) -> Result<Scope, NoScope> + Send + Sync;

impl KeyScope {
    /// Scopes keys by a principal that the application authenticated.
    ///
    /// `None` is refused with 400 `no-scope`: there is no bucket for the anonymous. The closure
    /// returns owned data, such as an array or a `String`, and not a borrow of the request.
    pub fn by<F, T>(principal: F) -> Self
    where
        F: Fn(&HttpRequest) -> Option<T> + Send + Sync + 'static,
        T: AsRef<[u8]>,
    {
        Self(Source::By(Arc::new(move |request| {
            let principal = principal(request).ok_or(NoScope::Missing)?;
            Ok(Scope::principal(principal.as_ref()))
        })))
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
        T: AsRef<[u8]>,
        E: Into<Error>,
    {
        Self(Source::By(Arc::new(move |request| {
            match principal(request) {
                Ok(principal) => Ok(Scope::principal(principal.as_ref())),
                Err(error) => Err(NoScope::Answer(HttpResponse::from_error(error))),
            }
        })))
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
        Self(Source::Header(parsed.map_err(|_| name.to_owned())))
    }

    /// Lets all callers share one space of keys: whoever knows a key gets its answer.
    ///
    /// For a service that has one caller, or keys that nobody can guess.
    pub fn everyone() -> Self {
        Self(Source::Everyone)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match &self.0 {
            Source::Header(Err(name)) => Err(ConfigError::HeaderName(name.clone())),
            _ => Ok(()),
        }
    }

    pub(crate) fn of(&self, request: &HttpRequest) -> Result<Scope, NoScope> {
        match &self.0 {
            Source::Everyone => Ok(Scope(vec![0])),
            Source::Header(Ok(name)) => Scope::lines(request, name),
            Source::Header(Err(_)) => Err(NoScope::Missing),
            Source::By(derive) => derive(request),
        }
    }
}

impl fmt::Debug for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Everyone => f.write_str("KeyScope::everyone"),
            Source::Header(name) => write!(f, "KeyScope::header({name:?})"),
            Source::By(_) => f.write_str("KeyScope::by"),
        }
    }
}

/// A caller, as the record's id takes it in: a tag for the kind of scope, then framed contents.
pub(crate) struct Scope(Vec<u8>);

impl Scope {
    fn principal(principal: &[u8]) -> Self {
        Self([&[1], principal].concat())
    }

    fn lines(request: &HttpRequest, name: &HeaderName) -> Result<Self, NoScope> {
        let mut scope = vec![2];
        for line in request.headers().get_all(name) {
            scope.extend((line.len() as u64).to_le_bytes());
            scope.extend_from_slice(line.as_bytes());
        }
        match scope.len() {
            1 => Err(NoScope::Missing),
            _ => Ok(Self(scope)),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why no caller could be told.
pub(crate) enum NoScope {
    Missing,
    Answer(HttpResponse),
}
