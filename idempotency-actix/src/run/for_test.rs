//! An operation that runs without a claim, for tests of what its handler does. No store knows of it.

use std::sync::Arc;
use std::time::SystemTime;

use actix_web::http::Method;

use super::context::{Context, Run};
use crate::answer::Accepted;
use crate::claim::{Grant, Lease, Moment, Seat};
use crate::options::{DEFAULT_LEASE, DEFAULT_TTL};
use crate::request::{Caller, Fingerprint, Key, RecordId};
use crate::store::{Claim, Description, Token};

/// What the handler extracts key and attempt from.
pub(crate) fn running(key: Key, method: &Method, path: &str, generation: u64) -> Arc<Context> {
    let asked = Moment::now();
    let id = RecordId::of(&Caller::everyone(), method, path, key.as_str());
    let fingerprint = Fingerprint::new(Fingerprint::BYTES, [0; 32]);
    let claim = Claim::new(Token::random(), fingerprint, DEFAULT_LEASE, DEFAULT_TTL)
        .with_generation(generation);
    let (seat, grant) = (Seat::Uncounted, Grant::ByStore);
    let lease = Lease::new(id, claim, seat, asked, grant, DEFAULT_TTL);
    let description = Description::new(method.clone(), None, SystemTime::now());
    let context = Context::new(key, description, Accepted::default());
    context.bind(id);
    context.begin(Run {
        generation,
        lease: Arc::new(lease),
        since: asked.instant(),
    });
    Arc::new(context)
}
