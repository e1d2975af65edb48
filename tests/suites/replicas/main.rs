//! Several server processes that share one Redis: what holds on one of them holds on all, also when
//! one is killed or paused, or the Redis server is.

mod answers;
mod contest;
mod operations;
mod outages;
mod owners;
mod restarts;
mod site;
mod takeovers;
mod waiting;
