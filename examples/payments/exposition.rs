//! The metrics, for Prometheus: `GET /metrics`, outside of all that asks who is calling.

use std::io;

use actix_web::{HttpResponse, Responder, get, web};
#[cfg(feature = "metrics")]
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::cli::Asked;

/// What renders the metrics, where they were asked for.
#[derive(Clone)]
pub(crate) struct Exporter(Option<Render>);

#[cfg(feature = "metrics")]
type Render = metrics_exporter_prometheus::PrometheusHandle;
#[cfg(not(feature = "metrics"))]
type Render = std::convert::Infallible;

/// Starts to collect them, before anything counts.
pub(crate) fn start(asked: &Asked) -> io::Result<web::Data<Exporter>> {
    let render = asked.metrics.then(install).transpose()?;
    Ok(web::Data::new(Exporter(render)))
}

#[cfg(feature = "metrics")]
fn install() -> io::Result<Render> {
    // Seconds, from a store in memory to a slow processor: without them there would be quantiles, which do not add up.
    let buckets = [0.0001, 0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 30.0];
    let builder = PrometheusBuilder::new().set_buckets(&buckets);
    let recorder = builder.and_then(PrometheusBuilder::install_recorder);
    recorder.map_err(io::Error::other)
}

#[cfg(not(feature = "metrics"))]
fn install() -> io::Result<Render> {
    let what = "this is built without metrics: run `cargo run --example payments --features metrics -- --metrics`";
    Err(io::Error::other(what))
}

impl Exporter {
    fn render(&self) -> Option<String> {
        #[cfg(feature = "metrics")]
        return self.0.as_ref().map(Render::render);
        #[cfg(not(feature = "metrics"))]
        self.0.map(|render| match render {})
    }
}

#[get("/metrics")]
pub(crate) async fn expose(exporter: web::Data<Exporter>) -> impl Responder {
    match exporter.render() {
        Some(text) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(text),
        None => HttpResponse::NotFound().body("run with --metrics\n"),
    }
}
