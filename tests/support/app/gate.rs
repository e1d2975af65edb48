//! Where handlers and stores stand until a test lets them go on.

use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::poll_immediate;
use tokio::sync::Semaphore;

use super::counter::Counter;

/// What a future waits at until the test lets it through. A handler takes its site's as an argument.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    /// Closed while the gate is open; another one each time that the gate is closed.
    permits: Mutex<Arc<Semaphore>>,
    came: Counter,
    /// How many of those who came the test has waited for.
    met: Counter,
}

impl Gate {
    pub fn closed() -> Self {
        Self(Arc::new(Parts {
            permits: Mutex::new(Arc::new(Semaphore::new(0))),
            came: Counter::default(),
            met: Counter::default(),
        }))
    }

    /// Waits to be let through, in the order in which they came.
    pub async fn pass(&self) {
        let permits = Arc::clone(&self.0.permits.lock().unwrap());
        let mut passing = pin!(permits.acquire());
        // It queues before it is counted, so that who came first is let through first.
        let at_once = poll_immediate(passing.as_mut()).await;
        self.0.came.next();
        let passed = match at_once {
            Some(passed) => passed,
            None => passing.await,
        };
        if let Ok(permit) = passed {
            permit.forget();
        }
    }

    /// Returns once another one has come to the gate.
    #[track_caller]
    pub fn wait(&self) {
        self.0.came.wait_for(self.0.met.next());
    }

    /// Lets one through, who has come or will.
    pub fn let_one_through(&self) {
        self.0.permits.lock().unwrap().add_permits(1);
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.permits.lock().unwrap().close();
    }

    /// Stops who comes from now on.
    pub fn close(&self) {
        *self.0.permits.lock().unwrap() = Arc::new(Semaphore::new(0));
    }
}

impl FromRequest for Gate {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gate = request.app_data::<Self>();
        ready(Ok(gate.expect("a site with a gate").clone()))
    }
}
