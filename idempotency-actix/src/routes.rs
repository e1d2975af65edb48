use std::collections::HashMap;

use actix_web::http::Method;

use crate::error::{ConfigError, RouteMistake};
use crate::options::Options;
use crate::route_options::RouteOptions;

/// The table of all-routes mode: the routes that have options of their own.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    table: HashMap<String, Vec<(Method, Route)>>,
    ask_without_key: bool,
}

#[derive(Debug)]
pub(crate) enum Route {
    Skipped,
    Covered(Box<Options>),
}

/// An entry as it is written: method, pattern, options.
pub(crate) type Entry = (Method, String, RouteOptions);

impl Routes {
    /// Checks each entry, given the layer's options and the methods that it covers on all routes.
    pub(crate) fn new(
        entries: Vec<Entry>,
        covered: Option<&[Method]>,
        resolve: impl Fn(&RouteOptions) -> Result<Options, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let mut routes = Self::default();
        for (method, pattern, options) in entries {
            let resolved = match covered {
                None => Err(RouteMistake::WithoutAllRoutes),
                Some(covered) if !covered.contains(&method) => Err(RouteMistake::Method),
                Some(_) if !pattern.starts_with('/') => Err(RouteMistake::Pattern),
                Some(_) if routes.get(&method, &pattern).is_some() => Err(RouteMistake::Twice),
                Some(_) => resolve(&options).map_err(|error| RouteMistake::Option(error.into())),
            };
            let route = match resolved {
                Ok(_) if options.is_skipped => Route::Skipped,
                Ok(options) => Route::Covered(Box::new(options)),
                Err(mistake) => {
                    return Err(ConfigError::Route {
                        method,
                        pattern,
                        mistake,
                    });
                }
            };
            if let Route::Covered(options) = &route {
                routes.ask_without_key |= options.required || options.key.is_some();
            }
            routes
                .table
                .entry(pattern)
                .or_default()
                .push((method, route));
        }
        Ok(routes)
    }

    /// Whether a request without the layer's key is any route's business: it may be required, or be
    /// elsewhere.
    pub(crate) fn ask_without_key(&self) -> bool {
        self.ask_without_key
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(crate) fn get(&self, method: &Method, pattern: &str) -> Option<&Route> {
        let mut routes = self.table.get(pattern)?.iter();
        routes.find_map(|(of, route)| (of == method).then_some(route))
    }
}
