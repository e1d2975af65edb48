//! The layer's behaviour over HTTP, through the public interface.

mod app;

mod all_routes;
mod binding;
mod config;
mod counted;
mod departures;
mod faulty_store;
mod keys;
mod leaks;
mod leases;
mod not_kept;
mod outages;
mod pass_through;
mod problems;
mod replay;
mod request_body;
mod rig;
mod route_table;
mod scope;
mod store_failure;
mod streams;
mod wiring;
