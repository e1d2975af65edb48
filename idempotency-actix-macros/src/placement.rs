//! Where the attributes of the marked function go: to the route's handler, to the original, or both.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Path};

use crate::mistakes::Mistakes;

/// The route macros of actix-web, also where `#[routes]` consumes them.
const ROUTES: [&str; 12] = [
    "get", "post", "put", "patch", "delete", "head", "options", "trace", "connect", "query",
    "route", "routes",
];

/// The attributes of the two functions.
#[derive(Default)]
pub(crate) struct Placed {
    pub(crate) handler: TokenStream,
    pub(crate) original: TokenStream,
}

/// `nested`: lint levels and `cfg` of the handler reach an original that stands in its body.
pub(crate) fn place(attributes: &[Attribute], nested: bool) -> Placed {
    let mut placed = Placed::default();
    for attribute in attributes {
        let span = attribute.span();
        let (handler, original) = divide(attribute.meta.to_token_stream(), nested);
        placed
            .handler
            .extend(handler.map(|content| quote_spanned!(span=> #[#content])));
        placed
            .original
            .extend(original.map(|content| quote_spanned!(span=> #[#content])));
    }
    placed
}

/// Notes the attributes that cannot stand below `#[idempotent]`.
pub(crate) fn check(attributes: &[Attribute], mistakes: &mut Mistakes) {
    for attribute in attributes {
        if last_segment(attribute.path()) == "idempotent" {
            let twice = "`#[idempotent]` is applied twice: expected one, with all the options";
            mistakes.push(Error::new_spanned(attribute.path(), twice));
        }
        check_content(attribute.meta.to_token_stream(), mistakes);
    }
}

fn check_content(content: TokenStream, mistakes: &mut Mistakes) {
    let Some((path, arguments)) = head(content) else {
        return;
    };
    if path.is_ident("cfg_attr") {
        for member in members(arguments).into_iter().skip(1) {
            check_content(member, mistakes);
        }
    }
    let names: Vec<_> = path.segments.iter().map(|segment| &segment.ident).collect();
    if let [.., utoipa, path_macro] = names[..]
        && utoipa == "utoipa"
        && path_macro == "path"
    {
        let expected = "expected `utoipa::path` above `#[idempotent]`: \
                        from below it cannot see the handler's arguments";
        mistakes.push(Error::new_spanned(path, expected));
    }
}

/// Divides what stands between the brackets of one attribute.
fn divide(content: TokenStream, nested: bool) -> (Option<TokenStream>, Option<TokenStream>) {
    let Some((path, arguments)) = head(content.clone()) else {
        return (None, Some(content));
    };
    match last_segment(&path).as_str() {
        "doc" | "deprecated" => (Some(content), None),
        name if ROUTES.contains(&name) => (Some(content), None),
        "cfg" | "allow" | "warn" | "deny" | "forbid" | "expect" if nested => (Some(content), None),
        "cfg" | "allow" | "warn" | "deny" | "forbid" => (Some(content.clone()), Some(content)),
        // What is expected happens in one of the two, the original; the other must not warn of it.
        "expect" => {
            let allow = quote_spanned!(path.span()=> allow #arguments);
            (Some(allow), Some(content))
        }
        "cfg_attr" => divide_conditional(arguments, nested),
        _ => (None, Some(content)),
    }
}

fn divide_conditional(
    arguments: TokenStream,
    nested: bool,
) -> (Option<TokenStream>, Option<TokenStream>) {
    let mut members = members(arguments).into_iter();
    let condition = members.next();
    let (handler, original): (Vec<_>, Vec<_>) =
        members.map(|member| divide(member, nested)).unzip();
    let rebuild = |members: Vec<Option<TokenStream>>| {
        let members: Vec<_> = members.into_iter().flatten().collect();
        (!members.is_empty()).then(|| quote!(cfg_attr(#condition, #(#members),*)))
    };
    (rebuild(handler), rebuild(original))
}

/// The path of an attribute and what follows it; nothing for `unsafe(..)`, which has no path.
pub(crate) fn head(content: TokenStream) -> Option<(Path, TokenStream)> {
    let split = |input: ParseStream| Ok((input.call(Path::parse_mod_style)?, input.parse()?));
    split.parse2(content).ok()
}

/// The comma-separated members of `(a, b(c, d))`.
pub(crate) fn members(arguments: TokenStream) -> Vec<TokenStream> {
    let Some(TokenTree::Group(group)) = arguments.into_iter().next() else {
        return Vec::new();
    };
    let tokens: Vec<_> = group.stream().into_iter().collect();
    tokens
        .split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','))
        .filter(|member| !member.is_empty())
        .map(|member| member.iter().cloned().collect())
        .collect()
}

pub(crate) fn last_segment(path: &Path) -> String {
    let last = path.segments.last();
    last.map(|segment| segment.ident.unraw().to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn placed(attribute: Attribute, nested: bool) -> (String, String) {
        let placed = place(&[attribute], nested);
        (placed.handler.to_string(), placed.original.to_string())
    }

    #[track_caller]
    fn assert_placed(
        attribute: Attribute,
        nested: bool,
        handler: TokenStream,
        original: TokenStream,
    ) {
        let expected = (handler.to_string(), original.to_string());
        assert_eq!(placed(attribute, nested), expected);
    }

    #[test]
    fn documentation_and_routes_go_to_the_handler() {
        for nested in [true, false] {
            assert_placed(
                parse_quote!(#[doc = "x"]),
                nested,
                quote!(#[doc = "x"]),
                quote!(),
            );
            let route = quote!(#[actix_web::post("/")]);
            assert_placed(parse_quote!(#route), nested, route, quote!());
        }
    }

    #[test]
    fn other_attributes_go_to_the_original() {
        let instrument = quote!(#[tracing::instrument(skip_all)]);
        assert_placed(parse_quote!(#instrument), true, quote!(), instrument);
        let exported = quote!(#[unsafe(no_mangle)]);
        assert_placed(parse_quote!(#exported), true, quote!(), exported);
    }

    #[test]
    fn lint_levels_reach_a_nested_original_through_the_handler() {
        let allow = quote!(#[allow(dead_code)]);
        assert_placed(parse_quote!(#allow), true, allow.clone(), quote!());
        assert_placed(parse_quote!(#allow), false, allow.clone(), allow);
    }

    #[test]
    fn expectation_is_made_once() {
        let expect = quote!(#[expect(dead_code)]);
        assert_placed(parse_quote!(#expect), true, expect.clone(), quote!());
        assert_placed(
            parse_quote!(#expect),
            false,
            quote!(#[allow(dead_code)]),
            expect,
        );
    }

    #[test]
    fn conditional_attributes_are_divided_one_by_one() {
        assert_placed(
            parse_quote!(#[cfg_attr(all(unix, test), post("/"), cfg_attr(test, inline, doc = "x"))]),
            true,
            quote!(#[cfg_attr(all(unix, test), post("/"), cfg_attr(test, doc = "x"))]),
            quote!(#[cfg_attr(all(unix, test), cfg_attr(test, inline))]),
        );
    }

    #[test]
    fn misplaced_attributes_are_found_inside_conditions() {
        let mut mistakes = Mistakes::default();
        let attributes = [
            parse_quote!(#[cfg_attr(test, utoipa::path(post))]),
            parse_quote!(#[::idempotency_actix::idempotent(ttl = "1h")]),
        ];
        check(&attributes, &mut mistakes);
        assert_eq!(mistakes.messages().len(), 2);
    }
}
