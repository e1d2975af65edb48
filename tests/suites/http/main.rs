//! The layer's behaviour over HTTP on a memory store, through the public interface, in the order of a
//! request's way.

// What several of them stand on.
mod options_from_file;
mod orphan;
mod places;

// The key: what is one, where it comes from, and what passes without one.
mod key_sources;
mod keys;
mod pass_through;

// The body, and what makes two requests the same.
mod fingerprints;
mod request_body;
mod same_request;
mod unread_body;

// The caller: whose key it is, and how much of one's own may be in flight.
mod callers;
mod chosen_by_header;
mod quota;
mod scope;

// The claim: its lease, and stores that fail it.
mod background;
mod leases;
mod outages;
mod picky;
mod store_failure;

// The handler: what stands before it, clients that leave it, and what is left behind.
mod departures;
mod gate;
mod inner_middleware;
mod leaks;
mod stop;

// The answer: which bind the key, which are not kept, and those of our own.
mod binding;
mod bounds;
mod codings;
mod errors_outside;
mod marks;
mod not_kept;
mod problems;
mod reason;

// The replay.
mod replay;

// Retries that wait.
mod waiting;
mod waiting_arguments;

// Unknown outcomes.
mod recover;
mod rerun;
mod unknown;

// Streams.
mod streams;

// The operator.
mod operator;
mod quiet_logs;

// Configuration: the layer's, a mark's, all routes', their table's, and how the parts come together.
mod all_routes;
mod attribute;
mod config;
mod coverage;
mod late_options;
mod route_table;
mod wiring;
mod wrapped;
