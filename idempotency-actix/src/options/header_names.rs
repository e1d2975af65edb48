//! Names of headers, for the options that take several. It does not know what is done with them.

use std::sync::Arc;

use actix_web::http::header::HeaderName;

use crate::error::ConfigError;

/// The names as they were written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WrittenNames {
    Fixed(&'static [&'static str]),
    Shared(Arc<[String]>),
}

/// The names, sorted, each once: how they were written makes no other requests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeaderNames(Arc<[HeaderName]>);

impl WrittenNames {
    pub(crate) fn of(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().to_owned());
        Self::Shared(names.collect())
    }

    pub(crate) fn resolve(&self) -> Result<HeaderNames, ConfigError> {
        match self {
            Self::Fixed(names) => HeaderNames::of(names.iter().copied()),
            Self::Shared(names) => HeaderNames::of(names.iter().map(String::as_str)),
        }
    }
}

impl HeaderNames {
    pub(crate) fn none() -> Self {
        Self([].into())
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, ConfigError> {
        let parse = |name: &str| {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| ConfigError::HeaderName(name.to_owned()))
        };
        Ok(Self::sorted(names.map(parse).collect::<Result<_, _>>()?))
    }

    fn sorted(mut names: Vec<HeaderName>) -> Self {
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        Self(names.into())
    }

    /// The same with one more.
    pub(crate) fn and(self, name: Option<&HeaderName>) -> Self {
        match name {
            Some(name) if !self.0.contains(name) => {
                Self::sorted([&*self.0, std::slice::from_ref(name)].concat())
            }
            _ => self,
        }
    }

    pub(crate) fn names(&self) -> &[HeaderName] {
        &self.0
    }
}
