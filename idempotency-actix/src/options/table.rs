//! The table of all-routes mode: routes that have options of their own. It does not know what is done with them.

use std::fmt;
use std::iter;
use std::panic::catch_unwind;

use actix_web::HttpRequest;
use actix_web::dev::ResourceDef;
use actix_web::http::Method;

use super::resolved::Options;
use super::route_options::RouteOptions;
use crate::error::{ConfigError, RouteMistake};

/// The table of all-routes mode: the routes that have options of their own.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    table: Vec<Row>,
    ask_without_key: bool,
}

struct Row {
    method: Method,
    pattern: ResourceDef,
    route: Route,
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
            let row = match covered {
                None => Err(RouteMistake::WithoutAllRoutes),
                Some(covered) if !covered.contains(&method) => Err(RouteMistake::Method),
                Some(_) if routes.has(&method, &pattern) => Err(RouteMistake::Twice),
                Some(_) => parse(&pattern).and_then(|parsed| match resolve(&options) {
                    Ok(options) => Ok((parsed, options)),
                    Err(error) => Err(RouteMistake::Option(error.into())),
                }),
            };
            let has_key = options.key.is_some();
            let (parsed, route) = match row {
                Ok((parsed, _)) if options.is_skipped => (parsed, Route::Skipped),
                Ok((parsed, options)) => (parsed, Route::Covered(Box::new(options))),
                Err(mistake) => {
                    return Err(ConfigError::Route {
                        method,
                        pattern,
                        mistake,
                    });
                }
            };
            if let Route::Covered(options) = &route {
                routes.ask_without_key |= options.required || has_key;
            }
            routes.table.push(Row {
                method,
                pattern: parsed,
                route,
            });
        }
        Ok(routes)
    }

    /// Whether a request without the layer's key is any route's business: it may be required, or be
    /// elsewhere.
    pub(crate) fn ask_without_key(&self) -> bool {
        self.ask_without_key
    }

    /// The entry for a request, with its number: the first one that matches its path, or rather the one whose pattern the
    /// application knows the path by. That alone would not do: a resource may have more patterns than one,
    /// and the first resource that matches need not take the method.
    pub(crate) fn get(&self, request: &HttpRequest) -> Option<(usize, &Route)> {
        if self.table.is_empty() {
            return None;
        }
        let pattern = request.match_pattern()?;
        let (method, path) = (request.method(), request.path());
        let mut rows = self
            .table
            .iter()
            .enumerate()
            .filter(|(_, row)| row.method == method && row.pattern.is_match(path));
        let first = rows.next()?;
        let known = iter::once(first)
            .chain(rows)
            .find(|(_, row)| row.is_of(&pattern));
        let (number, row) = known.unwrap_or(first);
        Some((number, &row.route))
    }

    fn has(&self, method: &Method, pattern: &str) -> bool {
        let mut rows = self.table.iter();
        rows.any(|row| row.method == method && row.is_of(pattern))
    }
}

impl Row {
    fn is_of(&self, pattern: &str) -> bool {
        self.pattern.pattern() == Some(pattern)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = self.pattern.pattern().unwrap_or_default();
        write!(f, "{} {pattern}: {:?}", self.method, self.route)
    }
}

/// What actix-web makes of a pattern, which panics at what it cannot read.
fn parse(pattern: &str) -> Result<ResourceDef, RouteMistake> {
    if !pattern.starts_with('/') {
        return Err(RouteMistake::Pattern);
    }
    catch_unwind(|| ResourceDef::new(pattern)).map_err(|_| RouteMistake::Pattern)
}
