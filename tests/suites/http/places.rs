//! One route's options, given in each place that takes them without the attribute.

use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use idempotency_actix::{Idempotency, IdempotencyBuilder, RouteOptions};
use idempotency_actix_tests::app::{Site, builder, charge, plain};

/// Where the options were given, and the path of the route that has them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// To the layer, around a marked handler.
    Marked,
    /// To the layer, in all-routes mode.
    AllRoutes,
    /// To the layer's table.
    Table,
}

impl Place {
    pub(crate) const ALL: [Self; 3] = [Self::Marked, Self::AllRoutes, Self::Table];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Marked => "/charges",
            Self::AllRoutes | Self::Table => "/plain",
        }
    }

    /// A layer with the same options, as the builder and as an entry of the table take them.
    pub(crate) fn layer(
        self,
        layer: IdempotencyBuilder,
        to_layer: impl Fn(IdempotencyBuilder) -> IdempotencyBuilder,
        to_route: impl Fn(RouteOptions) -> RouteOptions,
    ) -> Idempotency {
        let layer = match self {
            Self::Marked => to_layer(layer),
            Self::AllRoutes => to_layer(layer).all_routes(),
            Self::Table => {
                let entry = to_route(RouteOptions::new());
                layer.all_routes().route(Method::POST, self.path(), entry)
            }
        };
        layer.build().expect("options that can hold")
    }
}

/// Runs a test against a site for each place, on a memory store that everyone shares.
pub(crate) fn in_each_place(
    to_layer: impl Fn(IdempotencyBuilder) -> IdempotencyBuilder,
    to_route: impl Fn(RouteOptions) -> RouteOptions,
    test: impl Fn(Place, Site),
) {
    for place in Place::ALL {
        let layer = builder();
        test(
            place,
            Site::new(place.layer(layer, &to_layer, &to_route), routes),
        );
    }
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(charge).service(plain);
}
