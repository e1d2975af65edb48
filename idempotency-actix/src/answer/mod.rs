pub(crate) mod not_executed;
pub(crate) mod problem;
