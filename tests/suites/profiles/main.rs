//! What specifications of keys ask for: each with the configuration that the guide shows, and by the specification's own
//! examples.

mod agent_commerce;
mod agent_commerce_in_transaction;
mod draft;
mod guide;
mod operation;
mod repeatable_requests;
mod standard_webhooks;
mod stripe;
