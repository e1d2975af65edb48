//! Functions and texts that the application provides: constants of the attribute, or shared by all workers.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;

/// What the application gave: a constant of the attribute's expansion, or shared by all workers.
pub(crate) enum Provided<T: ?Sized + 'static> {
    Fixed(&'static T),
    Shared(Arc<T>),
}

impl<T: ?Sized> Clone for Provided<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Fixed(fixed) => Self::Fixed(fixed),
            Self::Shared(shared) => Self::Shared(Arc::clone(shared)),
        }
    }
}

/// The same one, and not one that does the same.
impl<T: ?Sized> PartialEq for Provided<T> {
    fn eq(&self, other: &Self) -> bool {
        ptr::addr_eq(&raw const **self, &raw const **other)
    }
}

impl<T: ?Sized> Deref for Provided<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Fixed(fixed) => fixed,
            Self::Shared(shared) => shared,
        }
    }
}

impl<T: ?Sized> fmt::Debug for Provided<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// A function of the application's and what it returns, so that one trait is implemented for each kind
/// of function. The fields are public for the attribute, which needs it as a constant.
#[expect(
    missing_debug_implementations,
    reason = "a function has nothing to show"
)]
pub struct By<F, R>(pub F, pub PhantomData<fn() -> R>);

impl<F, R> By<F, R> {
    pub(crate) fn new(function: F) -> Self {
        Self(function, PhantomData)
    }
}

/// A function of one argument whose result is owned data.
///
/// It is implemented for each kind of result, and for two at least: of a function that returns a borrow the compiler
/// then says that it is none of them, where it would compare lifetimes.
pub trait Returns<A: ?Sized, R>: Send + Sync {
    /// Calls it.
    fn call(&self, argument: &A) -> R;
}

macro_rules! returns {
    ($($result:ty $(, of $($of:ident),+)?);* $(;)?) => {$(
        #[diagnostic::do_not_recommend]
        impl<F, A: ?Sized, $($($of),+)?> Returns<A, $result> for F
        where
            F: Fn(&A) -> $result + Send + Sync,
        {
            fn call(&self, argument: &A) -> $result {
                self(argument)
            }
        }
    )*};
}

returns![
    Option<T>, of T;
    Result<T, E>, of T, E;
    bool;
];
