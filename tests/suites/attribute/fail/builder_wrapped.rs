//! A builder that is wrapped as if it were a layer.

use actix_web::App;
use idempotency_actix::{Idempotency, KeyScope, MemoryStore};

fn main() {
    let builder = Idempotency::builder(MemoryStore::new(), KeyScope::everyone());
    let _ = App::new().wrap(builder);
}
