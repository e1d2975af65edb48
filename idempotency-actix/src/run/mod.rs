//! One operation's way through: named, admitted, run and finished, whatever its connection does.

mod admission;
mod bar;
mod context;
mod detach;
mod finish;
#[cfg(feature = "testing")]
mod for_test;
mod hold;
mod observed;
mod open;
mod opening;
mod operation;
mod pipe;
mod spawn;
mod stream;
mod transacted;
mod turn;
mod unknown;
mod waiting;

pub(crate) use self::admission::{Admitted, admit, gate};
pub(crate) use self::context::Context;
pub(crate) use self::detach::Detach;
pub(crate) use self::finish::{Binding, Finishing};
#[cfg(feature = "testing")]
pub(crate) use self::for_test::running;
pub(crate) use self::hold::{Unfinished, hand_up, handed_up, is_held};
pub(crate) use self::observed::{mark, told};
pub(crate) use self::open::Open;
pub(crate) use self::opening::{admit_open, open_plain};
pub(crate) use self::operation::{Keyed, Operation, whole_body};
pub(crate) use self::transacted::{Again, Transacted};
