//! Counts what happens, for a test that asks how often it did, or waits for it.

use std::future::{Ready, ready};
use std::sync::{Arc, Condvar, Mutex};

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};

use crate::patience::PATIENCE;

/// How often something happened. A handler takes the one that counts its site's runs as an argument.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<(Mutex<usize>, Condvar)>);

impl Counter {
    /// Counts one, and returns its number, from 1.
    pub fn next(&self) -> usize {
        let mut count = self.0.0.lock().unwrap();
        *count += 1;
        self.0.1.notify_all();
        *count
    }

    pub fn count(&self) -> usize {
        *self.0.0.lock().unwrap()
    }

    /// Waits until it has counted so many.
    #[track_caller]
    pub fn wait_for(&self, times: usize) {
        let count = self.0.0.lock().unwrap();
        let (count, wait) = (self.0.1)
            .wait_timeout_while(count, PATIENCE, |count| *count < times)
            .unwrap();
        assert!(!wait.timed_out(), "{} of {times} events came", *count);
    }
}

impl FromRequest for Counter {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let runs = request.app_data::<Self>();
        ready(Ok(runs.expect("a site counts runs").clone()))
    }
}
