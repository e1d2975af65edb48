//! How to use the layer, page by page: from the first handler to operations.
//!
#![cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#![doc = include_str!("../../guide/README.md")]

// The pages are files that link to each other as files. Above each of them stands `links.md`, with the same links between
// modules: of two definitions of a link the first one counts. Tests go without it, and name the line of the page.

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(not(doctest), doc = include_str!("../../guide/pictures/problem.link"))]
#[doc = include_str!("../../guide/problem.md")]
pub mod problem {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/quick_start.md")]
pub mod quick_start {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/scope.md")]
pub mod scope {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/stores.md")]
pub mod stores {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/modes.md")]
pub mod modes {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/middleware.md")]
pub mod middleware {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/clients.md")]
pub mod clients {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(not(doctest), doc = include_str!("../../guide/pictures/request.link"))]
#[doc = include_str!("../../guide/outcomes.md")]
pub mod outcomes {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(not(doctest), doc = include_str!("../../guide/transactions.md"))]
pub mod transactions {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/streams.md")]
pub mod streams {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/webhooks.md")]
pub mod webhooks {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/late_retries.md")]
pub mod late_retries {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(any(not(doctest), feature = "serde"), doc = include_str!("../../guide/options.md"))]
pub mod options {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(any(not(doctest), feature = "operator"), doc = include_str!("../../guide/operations.md"))]
pub mod operations {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(any(not(doctest), feature = "redis"), doc = include_str!("../../guide/redis.md"))]
pub mod redis {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/failover.md")]
pub mod failover {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(not(doctest), doc = include_str!("../../guide/sql.md"))]
pub mod sql {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/works_with.md")]
pub mod works_with {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(any(not(doctest), feature = "json"), doc = include_str!("../../guide/profiles.md"))]
pub mod profiles {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(any(not(doctest), feature = "utoipa"), doc = include_str!("../../guide/openapi.md"))]
pub mod openapi {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(any(not(doctest), feature = "testing"), doc = include_str!("../../guide/testing.md"))]
pub mod testing {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[cfg_attr(
    any(not(doctest), feature = "conformance"),
    doc = include_str!("../../guide/own_store.md")
)]
pub mod own_store {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/comparison.md")]
pub mod comparison {}

#[cfg_attr(not(doctest), doc = include_str!("../../guide/links.md"))]
#[doc = include_str!("../../guide/faq.md")]
pub mod faq {}
