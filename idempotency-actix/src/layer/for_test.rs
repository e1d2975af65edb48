//! Key and attempt without a request, for a handler that a test calls as a function. No store knows of them.

use actix_web::http::Method;

use super::attempt::Attempt;
use super::idempotency_key::IdempotencyKey;
use crate::request::Key;
use crate::run::running;

impl IdempotencyKey {
    /// The key as a handler gets it, for a test that calls the handler as a function.
    ///
    /// [`derive`](Self::derive) makes the same of it each time, as for [everyone](crate::Caller::everyone) who posts to `/`:
    /// not what it makes under a layer, where it takes in the request's own caller, method and path.
    ///
    /// # Panics
    ///
    /// Where it is no key: one has 1 to 255 characters %x20-7E.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn for_test(key: &str) -> Self {
        let key = match Key::new(key) {
            Ok(key) => key,
            Err(reason) => panic!("{key:?} is no key: {reason:?}"),
        };
        Self(running(key, &Method::POST, "/", 1))
    }
}

impl Attempt {
    /// The attempt of this generation as a handler gets it, for a test that calls the handler as a function.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn for_test(generation: u64) -> Self {
        let key = Key::new("test").expect("these are characters of a key");
        Self(running(key, &Method::POST, "/", generation))
    }

    /// Takes the claim away from the attempt and its clones, which are [current](Self::is_current) no more: as where
    /// another attempt has taken over.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn lose_for_test(&self) {
        if let Some(run) = self.0.run() {
            run.lease.lose();
        }
    }
}
