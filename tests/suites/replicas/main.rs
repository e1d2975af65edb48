//! Several server processes that share one Redis: what holds on one of them holds on all, also when
//! one is killed or paused, or the Redis server is.

// The processes, and what a test does to them.
mod site;

// What is one operation, and who gets its claim.
mod contest;
mod operations;

// The process that runs the handler, and the server, while it runs.
mod outages;
mod owners;

// The replay.
mod answers;

// Retries that wait.
mod waiting;

// Unknown outcomes.
mod takeovers;

// Deployments.
mod drains;
mod restarts;
