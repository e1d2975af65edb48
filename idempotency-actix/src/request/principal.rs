//! What a caller may be told by: octets, or a number. It knows no request.

use std::num::NonZero;

/// What tells one caller from another: owned data with octets (`AsRef<[u8]>`), such as a `String`, a `Vec<u8>`, an array or a
/// UUID, or an integer.
///
/// An integer is told by its octets in big-endian order, 8 of them for `usize` and `isize`. So the same number in another width
/// is another caller, and so is its text: to change what a scope returns gives all operations other names.
///
/// A newtype of the application's implements `AsRef<[u8]>`, or is taken apart by the scope. `K` is how the compiler tells the
/// two kinds apart; nobody names it.
///
/// # Examples
///
/// ```
/// use actix_web::{HttpMessage, HttpRequest};
/// use idempotency_actix::KeyScope;
///
/// #[derive(Clone, Copy)]
/// struct AccountId(u64);
///
/// let scope = KeyScope::by(|req: &HttpRequest| {
///     req.extensions().get::<AccountId>().map(|account| account.0)
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell one caller from another",
    label = "expected an integer, a text or octets",
    note = "return owned data: an integer, a `Uuid`, a `String`, or whatever else is `AsRef<[u8]>`",
    note = "of a newtype return what is inside"
)]
pub trait Principal<K> {
    /// What it is told by.
    fn octets(&self) -> impl AsRef<[u8]>;
}

/// Told by its octets.
#[derive(Debug)]
pub struct Octets;

/// Told by its number.
#[derive(Debug)]
pub struct Number;

#[diagnostic::do_not_recommend]
impl<T: AsRef<[u8]>> Principal<Octets> for T {
    fn octets(&self) -> impl AsRef<[u8]> {
        self
    }
}

macro_rules! numbers {
    ($($number:ty $(as $width:ty)?),* $(,)?) => {$(
        impl Principal<Number> for $number {
            fn octets(&self) -> impl AsRef<[u8]> {
                (*self $(as $width)?).to_be_bytes()
            }
        }

        impl Principal<Number> for NonZero<$number> {
            fn octets(&self) -> impl AsRef<[u8]> {
                (self.get() $(as $width)?).to_be_bytes()
            }
        }
    )*};
}

numbers![
    u8,
    u16,
    u32,
    u64,
    u128,
    usize as u64,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize as i64
];

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<K>(principal: impl Principal<K>) -> Vec<u8> {
        principal.octets().as_ref().to_vec()
    }

    #[test]
    fn what_a_caller_is_told_by_never_changes() {
        assert_eq!(octets(7_u64), [0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(octets(7_usize), octets(7_u64));
        assert_eq!(octets(-2_isize), octets(-2_i64));
        assert_eq!(octets(-2_i16), [255, 254]);
        assert_eq!(octets(0x0102_u16), [1, 2]);
        assert_eq!(octets(u128::MAX), [255; 16]);
        assert_eq!(octets(NonZero::<u32>::MIN), octets(1_u32));
        assert_eq!(octets("ab"), b"ab");
        assert_eq!(octets(String::from("ab")), b"ab");
        assert_eq!(octets([1_u8, 2]), [1, 2]);
    }
}
