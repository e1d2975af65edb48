//! One operation's way through: named, admitted, run and finished, whatever its connection does.

mod admission;
mod commitment;
mod context;
mod detach;
mod finish;
mod operation;
mod stream;
mod turn;
mod unknown;
mod waiting;

pub(crate) use self::admission::{Admitted, admit};
pub(crate) use self::context::Context;
pub(crate) use self::detach::Detach;
pub(crate) use self::finish::{Binding, finish, release};
pub(crate) use self::operation::{Keyed, Operation};
