//! The option that tells what a key looks like. It does not know where the key was.

use std::any::TypeId;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::provided::{By, Provided, Returns};
use crate::request::{InvalidKey, Key, is_uuid, ulid_time, uuid7_time};

/// What a key looks like; one that does not is answered 400 `invalid-key`, with the reason.
///
/// It is the decoded value that counts, whether it was quoted or bare. A format changes no key: a UUID in upper case and the
/// same one in lower case are two keys, as any two values are that differ. A client repeats what it has sent.
///
/// Two are equal if they are of the same function, and not of one that does the same.
///
/// # Examples
///
/// ```
/// use idempotency_actix::{KeyFormat, RouteOptions};
///
/// let uuids = RouteOptions::new().key_format(KeyFormat::uuid());
/// let longer = RouteOptions::new().key_format(KeyFormat::try_by(|key| match key.len() {
///     ..16 => Err("The key is shorter than 16 characters."),
///     _ => Ok(()),
/// }));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFormat(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Any,
    Uuid,
    Uuid7,
    Ulid,
    By(Provided<dyn KeyFormatFn>),
}

impl KeyFormat {
    /// Anything of 1 to 255 characters %x20-7E.
    ///
    /// The default: what a key is made of is the client's affair.
    pub const fn any() -> Self {
        Self(Form::Any)
    }

    /// A UUID of any version, with its hyphens (RFC 9562, section 4), in either case.
    ///
    /// Against keys that are too short to be unique, such as the number of an order.
    pub const fn uuid() -> Self {
        Self(Form::Uuid)
    }

    /// A UUID of version 7 (RFC 9562, section 5.7), which has the time in it.
    pub const fn uuid7() -> Self {
        Self(Form::Uuid7)
    }

    /// A [ULID](https://github.com/ulid/spec), which has the time in it: 26 characters, in either case.
    pub const fn ulid() -> Self {
        Self(Form::Ulid)
    }

    /// What a function takes for one.
    pub fn by<F>(fits: F) -> Self
    where
        F: Fn(&str) -> bool + Send + Sync + 'static,
    {
        Self(Form::By(Provided::Shared(Arc::new(By::new(fits)))))
    }

    /// The same with reasons of the function's own, which are the `detail` of the problem.
    ///
    /// A client reads them, so that nothing secret belongs into them.
    pub fn try_by<F, T>(check: F) -> Self
    where
        F: Fn(&str) -> Result<(), T> + Send + Sync + 'static,
        T: Into<Cow<'static, str>> + 'static,
    {
        Self(Form::By(Provided::Shared(Arc::new(By::new(check)))))
    }

    #[doc(hidden)]
    pub const fn fixed(function: &'static dyn KeyFormatFn) -> Self {
        Self(Form::By(Provided::Fixed(function)))
    }

    /// The key, if it looks like that.
    pub(crate) fn check(&self, key: Key) -> Result<Key, InvalidKey> {
        let value = key.as_str();
        let (fits, reason) = match &self.0 {
            Form::Any => return Ok(key),
            Form::By(function) => return function.check(value).map(|()| key),
            Form::Uuid => (is_uuid(value), InvalidKey::NotAUuid),
            Form::Uuid7 => (uuid7_time(value).is_some(), InvalidKey::NotAUuid7),
            Form::Ulid => (ulid_time(value).is_some(), InvalidKey::NotAUlid),
        };
        match fits {
            true => Ok(key),
            false => Err(reason),
        }
    }

    pub(super) fn has_time(&self) -> bool {
        matches!(self.0, Form::Uuid7 | Form::Ulid)
    }

    /// When a key of this form was made, where it tells.
    pub(super) fn time_of(&self, key: &Key) -> Option<SystemTime> {
        let millis = match self.0 {
            Form::Uuid7 => uuid7_time(key.as_str()),
            Form::Ulid => ulid_time(key.as_str()),
            Form::Any | Form::Uuid | Form::By(_) => None,
        };
        Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis?))
    }

    /// Whether it is the other, or a function of the same type.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::By(one), Form::By(other)) => one.kind() == other.kind(),
            (one, other) => one == other,
        }
    }
}

/// A function that checks what a key looks like.
#[diagnostic::on_unimplemented(
    message = "the option `key_format` cannot take this function",
    label = "expected a function that checks what a key looks like",
    note = "expected `fn(&str) -> bool` or `fn(&str) -> Result<(), T>`",
    note = "return owned data as `T`, the reason that the client is told: what implements `Into<Cow<'static, str>>`"
)]
pub trait KeyFormatFn: Send + Sync {
    /// Checks it.
    fn check(&self, key: &str) -> Result<(), InvalidKey>;

    /// Tells one function from another.
    fn kind(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<Self>()
    }
}

#[diagnostic::do_not_recommend]
impl<F, R> KeyFormatFn for By<F, R>
where
    F: Returns<str, R>,
    R: IntoChecked,
{
    fn check(&self, key: &str) -> Result<(), InvalidKey> {
        self.0.call(key).into_checked()
    }
}

/// What a function may return that checks a key.
pub trait IntoChecked {
    /// Takes it for a reason why a key is none, or for none.
    fn into_checked(self) -> Result<(), InvalidKey>;
}

impl IntoChecked for bool {
    fn into_checked(self) -> Result<(), InvalidKey> {
        match self {
            true => Ok(()),
            false => Err(InvalidKey::OtherForm(
                "The key is not of the form that is asked for here.".into(),
            )),
        }
    }
}

impl<T: Into<Cow<'static, str>>> IntoChecked for Result<(), T> {
    fn into_checked(self) -> Result<(), InvalidKey> {
        self.map_err(|reason| InvalidKey::OtherForm(reason.into()))
    }
}
