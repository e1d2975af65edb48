pub(crate) mod all_routes;
pub(crate) mod attempt;
pub(crate) mod builder;
pub(crate) mod marked;
pub(crate) mod middleware;
pub(crate) mod operator;
pub(crate) mod shared;
