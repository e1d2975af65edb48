//! Stands for somebody else's service: it charges cards, once for each key.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::{App, HttpResponse, HttpServer, Responder, post, rt, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_examples::cli;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Charge {
    pub(crate) order: i64,
    pub(crate) cents: u32,
}

pub(crate) struct Processor {
    pub(crate) url: String,
    made: web::Data<Made>,
}

#[derive(Default)]
struct Made(Mutex<Vec<Charge>>);

#[post("/charges")]
#[idempotent(required)]
async fn create(made: web::Data<Made>, charge: web::Json<Charge>) -> impl Responder {
    let Charge { order, cents } = &*charge;
    cli::say(&format!(
        "processor  charges {cents} cents for order {order}"
    ));
    made.lock().push(charge.into_inner());
    HttpResponse::Created().finish()
}

impl Processor {
    /// Serves on a free port.
    pub(crate) fn start() -> io::Result<Self> {
        let made = web::Data::<Made>::default();
        let idempotency = Idempotency::new(MemoryStore::new(), KeyScope::everyone());
        let shared = made.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .wrap(idempotency.clone())
                .service(create)
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0")?;
        let url = format!("http://{}", server.addrs()[0]);
        rt::spawn(server.run());
        Ok(Self { url, made })
    }

    /// What it has charged.
    pub(crate) fn charges(&self) -> Vec<Charge> {
        self.made.lock().clone()
    }
}

impl Made {
    fn lock(&self) -> MutexGuard<'_, Vec<Charge>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
