//! The request headers that choose a handler. It does not know how they are compared.

use std::sync::Arc;

use actix_web::http::header::HeaderName;

use crate::error::ConfigError;

/// The names as they were written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum VaryNames {
    Fixed(&'static [&'static str]),
    Shared(Arc<[String]>),
}

/// The names, sorted, each once: how they were written makes no other requests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vary(Arc<[HeaderName]>);

impl VaryNames {
    pub(crate) fn resolve(&self) -> Result<Vary, ConfigError> {
        match self {
            Self::Fixed(names) => Vary::of(names.iter().copied()),
            Self::Shared(names) => Vary::of(names.iter().map(String::as_str)),
        }
    }
}

impl Vary {
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
