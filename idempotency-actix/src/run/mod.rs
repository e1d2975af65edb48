pub(crate) mod admission;
pub(crate) mod context;
pub(crate) mod detach;
pub(crate) mod finish;
pub(crate) mod operation;
pub(crate) mod stream;
pub(crate) mod unknown;
pub(crate) mod waiting;
