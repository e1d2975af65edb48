use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;

use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, Error, HttpServer, Responder, get, web};
use rustix::time::{ClockId, clock_gettime};

/// Serves an application with one worker, from threads of its own, until the program ends.
///
/// # Errors
///
/// If no port can be bound.
pub fn serve<F, T, B>(app: F) -> io::Result<SocketAddr>
where
    F: Fn() -> App<T> + Send + Clone + 'static,
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    T::Service: Service<ServiceRequest>,
    B: MessageBody + 'static,
    AppConfig: Clone,
{
    let (started, start) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(move || app().service(cpu))
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0));
            match server {
                Err(error) => _ = started.send(Err(error)),
                Ok(server) => {
                    _ = started.send(Ok(server.addrs()[0]));
                    _ = server.run().await;
                }
            }
        });
    });
    start.recv().map_err(io::Error::other)?
}

/// Answers with the CPU time of the worker that serves it, in nanoseconds.
#[get("/cpu")]
async fn cpu() -> impl Responder {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    web::Json(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
