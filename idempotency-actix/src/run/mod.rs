//! One operation's way through: named, admitted, run and finished, whatever its connection does.

mod admission;
mod context;
mod detach;
mod finish;
mod hold;
mod operation;
mod pipe;
mod spawn;
mod stream;
mod turn;
mod unknown;
mod waiting;

pub(crate) use self::admission::{Admitted, admit, gate};
pub(crate) use self::context::Context;
pub(crate) use self::detach::Detach;
pub(crate) use self::finish::{Binding, Finishing, Passed, release};
pub(crate) use self::hold::{hand_up, handed_up, is_held};
pub(crate) use self::operation::{Keyed, Operation};
