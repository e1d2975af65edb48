//! The layer's behaviour over HTTP, through the public interface.

mod app;

mod all_routes;
mod attribute;
mod binding;
mod config;
mod counted;
mod departures;
mod faulty_store;
mod fingerprints;
mod key_sources;
mod keys;
mod late_options;
mod leaks;
mod leases;
mod log;
mod not_kept;
mod operator;
mod outages;
mod pass_through;
mod policy;
mod problems;
mod quota;
mod recover;
mod replay;
mod request_body;
mod rerun;
mod rig;
mod route_table;
mod scope;
mod store_failure;
mod streams;
mod unknown;
mod waiting;
mod waiting_arguments;
mod wiring;
