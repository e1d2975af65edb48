//! The table of routes of all-routes mode, and the row for a request. It does not know what is done with it.

use std::fmt;
use std::panic::catch_unwind;

use actix_web::HttpRequest;
use actix_web::dev::ResourceDef;
use actix_web::http::Method;

use super::patterns::Patterns;
use super::resolved::Options;
use super::route_options::RouteOptions;
use crate::error::{ConfigError, RouteMistake};

/// The table of all-routes mode: the routes that have options of their own.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    table: Vec<Entered>,
}

struct Entered {
    method: Method,
    pattern: ResourceDef,
    route: Route,
    /// The first of its options that means nothing in a transaction.
    meaningless: Option<&'static str>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Route {
    Skipped,
    Covered(Box<Options>),
}

/// What the table has for a request.
pub(crate) enum Row<'a> {
    /// Nothing: the layer's own options hold.
    None,
    One(usize, &'a Route),
    /// Resources that could take the path would get different options.
    Ambiguous,
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
            routes.table.push(Entered {
                method,
                pattern: parsed,
                route,
                meaningless: options.meaningless_in_transaction(),
            });
        }
        Ok(routes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The row for a request that is not routed yet. Guards may choose between resources, so it holds only if every
    /// resource that could take the path would get the same.
    pub(crate) fn before_routing<'a>(
        &'a self,
        request: &HttpRequest,
        patterns: &Patterns,
    ) -> Row<'a> {
        let mut rows = self.rows(request);
        let Some((first, route)) = rows.next() else {
            return Row::None;
        };
        if rows.all(|(_, other)| other.route == route.route) {
            return Row::One(first, &route.route);
        }
        let Some(taking) = patterns.taking(request) else {
            return Row::Ambiguous;
        };
        let mut chosen = taking.iter().map(|pattern| self.row_of(request, pattern));
        match chosen.next() {
            // What nothing takes is left to the default service of the application.
            None => Row::One(first, &route.route),
            Some(Some((row, entered)))
                if chosen
                    .all(|other| other.is_some_and(|(_, other)| other.route == entered.route)) =>
            {
                Row::One(row, &entered.route)
            }
            Some(_) => Row::Ambiguous,
        }
    }

    /// The row for a request that is routed.
    pub(crate) fn after_routing(&self, request: &HttpRequest) -> Option<(usize, &Route)> {
        if self.table.is_empty() {
            return None;
        }
        let pattern = request.match_pattern().unwrap_or_default();
        let (row, entered) = self.row_of(request, &pattern)?;
        Some((row, &entered.route))
    }

    /// The first option of that row which means nothing in a transaction.
    pub(crate) fn meaningless_in_transaction(&self, row: usize) -> Option<&'static str> {
        self.table.get(row)?.meaningless
    }

    /// The patterns of all rows that match a request, for a log.
    pub(crate) fn patterns_of<'a>(&'a self, request: &HttpRequest) -> Vec<&'a str> {
        let rows = self.rows(request);
        rows.filter_map(|(_, row)| row.pattern.pattern()).collect()
    }

    /// The row for a resource of that pattern: its own, or the first one that matches the path. A resource may have
    /// more patterns than one.
    fn row_of<'a>(&'a self, request: &HttpRequest, pattern: &str) -> Option<(usize, &'a Entered)> {
        let own = self.rows(request).find(|(_, row)| row.is_of(pattern));
        own.or_else(|| self.rows(request).next())
    }

    /// The rows that match a request's method and its path, as the router decodes it.
    fn rows<'a, 'r>(
        &'a self,
        request: &'r HttpRequest,
    ) -> impl Iterator<Item = (usize, &'a Entered)> + use<'a, 'r> {
        let (method, path) = (request.method(), request.match_info().as_str());
        let rows = self.table.iter().enumerate();
        rows.filter(move |(_, row)| row.method == method && row.pattern.is_match(path))
    }

    fn has(&self, method: &Method, pattern: &str) -> bool {
        let mut rows = self.table.iter();
        rows.any(|row| row.method == method && row.is_of(pattern))
    }
}

impl Entered {
    /// Whether it matches the same by its text. What segments are called does not matter.
    fn is_of(&self, pattern: &str) -> bool {
        let own = self.pattern.pattern();
        own.is_some_and(|own| nameless(own).eq(nameless(pattern)))
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = self.pattern.pattern().unwrap_or_default();
        write!(f, "{} {pattern}: {:?}", self.method, self.route)
    }
}

/// A pattern without the names of its segments.
fn nameless(pattern: &str) -> impl Iterator<Item = char> {
    let (mut depth, mut is_in_name) = (0_u32, false);
    pattern.chars().filter(move |char| match char {
        '{' => {
            depth += 1;
            is_in_name = depth == 1;
            true
        }
        '}' => {
            depth = depth.saturating_sub(1);
            is_in_name = false;
            true
        }
        ':' if is_in_name => {
            is_in_name = false;
            true
        }
        _ => !is_in_name,
    })
}

/// What actix-web makes of a pattern, which panics at what it cannot read.
fn parse(pattern: &str) -> Result<ResourceDef, RouteMistake> {
    if !pattern.starts_with('/') {
        return Err(RouteMistake::Pattern);
    }
    catch_unwind(|| ResourceDef::new(pattern)).map_err(|_| RouteMistake::Pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_the_same_without_the_names_of_their_segments() {
        let is_same = |one, other| nameless(one).eq(nameless(other));
        assert!(is_same("/v1/{id}/x", "/v1/{other}/x"));
        assert!(is_same(r"/{id:\d{2}}/{tail}*", r"/{number:\d{2}}/{rest}*"));
        assert!(!is_same(r"/{id:\d{2}}", r"/{id:\d{3}}"));
        assert!(!is_same("/{tail}*", "/{tail}"));
        assert!(!is_same("/{id}", "/id"));
    }
}
