//! The methods by which a function is routed. It knows route macros by their names, and not what they expand to.

use std::fs;

use proc_macro2::{Delimiter, LineColumn, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Error, Expr, MetaNameValue, Path};

use crate::mistakes::Mistakes;
use crate::placement::{head, last_segment, members};
use crate::value;

/// The methods that no layer ever covers, since a server changes nothing for them.
const SAFE: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// Route macros that are named after their method.
const METHODS: [&str; 10] = [
    "get", "post", "put", "patch", "delete", "head", "options", "trace", "connect", "query",
];

/// What is put before a function to find it again.
const MARK: &str = "__idempotent_stands_here";

/// A method that an attribute names.
struct Routed {
    method: String,
    by: Path,
}

/// Notes if route macros, above or below, have the function called for safe methods only.
pub(crate) fn check(below: &[Attribute], function: Span, mistakes: &mut Mistakes) {
    let contents = below
        .iter()
        .map(|attribute| attribute.meta.to_token_stream());
    let below: Vec<_> = contents.flat_map(methods).collect();
    let is_covered = |routed: &Routed| !SAFE.contains(&routed.method.as_str());
    if below.iter().any(is_covered) {
        return;
    }
    // A macro above has run already, and left no trace of its method in what stands here.
    let written: Vec<_> = written(function).into_iter().flat_map(methods).collect();
    if written.iter().any(is_covered) {
        return;
    }
    let span = match (below.first(), written.first()) {
        (Some(routed), _) => Error::new_spanned(&routed.by, "").span(),
        (None, Some(_)) => Span::call_site(),
        (None, None) => return,
    };
    let all = if written.is_empty() { &below } else { &written };
    let mut names: Vec<_> = all.iter().map(|routed| routed.method.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let said = format!(
        "`#[idempotent]` does nothing for {}: a safe method changes nothing and is never covered; \
         remove the attribute, or route the handler by POST, PUT, PATCH or DELETE",
        names.join(" and ")
    );
    mistakes.push(Error::new(span, said));
}

/// The methods that one attribute routes by.
fn methods(content: TokenStream) -> Vec<Routed> {
    let Some((by, arguments)) = head(content) else {
        return Vec::new();
    };
    let methods = match last_segment(&by).as_str() {
        "cfg_attr" => {
            let members = members(arguments).into_iter().skip(1);
            return members.flat_map(methods).collect();
        }
        "route" => members(arguments).into_iter().filter_map(method).collect(),
        name if METHODS.contains(&name) => vec![name.to_ascii_uppercase()],
        _ => Vec::new(),
    };
    let routed = methods.into_iter().map(|method| Routed {
        method,
        by: by.clone(),
    });
    routed.collect()
}

/// That of `method = "GET"`, an argument of `#[route]`.
fn method(argument: TokenStream) -> Option<String> {
    let argument: MetaNameValue = syn::parse2(argument).ok()?;
    let value: &Expr = &argument.value;
    let is_method = argument.path.is_ident("method");
    is_method.then(|| value::text(value).unwrap_or_default())
}

/// The attributes of a function as its file has them, where the compiler tells the file.
fn written(function: Span) -> Vec<TokenStream> {
    let read = || {
        let text = fs::read_to_string(function.local_file()?).ok()?;
        attributes_at(&text, function.start())
    };
    read().unwrap_or_default()
}

/// The attributes of the `fn` at a place in a text. Tokens of a text have no places, so that a mark is put there.
fn attributes_at(text: &str, place: LineColumn) -> Option<Vec<TokenStream>> {
    let before: usize = (text.split_inclusive('\n').take(place.line.checked_sub(1)?))
        .map(str::len)
        .sum();
    let columns = text.get(before..)?.char_indices().nth(place.column)?;
    let (before, after) = text.split_at(before + columns.0);
    let marked = format!("{before}{MARK} {after}");
    after
        .starts_with("fn")
        .then(|| find(marked.parse().ok()?))?
}

/// Those of what follows the mark.
fn find(tokens: TokenStream) -> Option<Vec<TokenStream>> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let is_mark = |token: &TokenTree| matches!(token, TokenTree::Ident(name) if name == MARK);
    if let Some(at) = tokens.iter().position(is_mark) {
        return Some(attributes_before(&tokens[..at]));
    }
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Group(group) => find(group.stream()),
        _ => None,
    })
}

/// The attributes at the end of what stands before a `fn`; visibility and qualifiers stand between.
fn attributes_before(mut before: &[TokenTree]) -> Vec<TokenStream> {
    let mut attributes = Vec::new();
    loop {
        before = match before {
            [rest @ .., TokenTree::Punct(sign), TokenTree::Group(content)]
                if sign.as_char() == '#' && content.delimiter() == Delimiter::Bracket =>
            {
                attributes.push(content.stream());
                rest
            }
            // In the body of a `macro_rules!`: `$visibility`, and `$( .. )*` of attributes that it is given.
            [rest @ .., TokenTree::Punct(sign), TokenTree::Ident(_)] if sign.as_char() == '$' => {
                rest
            }
            [
                rest @ ..,
                TokenTree::Punct(sign),
                TokenTree::Group(_),
                TokenTree::Punct(_),
            ] if sign.as_char() == '$' => rest,
            [rest @ .., TokenTree::Ident(_) | TokenTree::Literal(_)] => rest,
            [rest @ .., TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
                rest
            }
            _ => return attributes,
        };
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn mistakes(attributes: &[Attribute]) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        check(attributes, Span::call_site(), &mut mistakes);
        mistakes.messages()
    }

    #[test]
    fn safe_methods_alone_are_a_mistake() {
        let attributes: [Attribute; 8] = [
            parse_quote!(#[get("/")]),
            parse_quote!(#[actix_web::head("/")]),
            parse_quote!(#[web::options("/")]),
            parse_quote!(#[::actix_web::trace("/")]),
            parse_quote!(#[route("/", method = "GET")]),
            parse_quote!(#[actix_web::route("/", name = "a", method = "GET", method = "HEAD")]),
            parse_quote!(#[cfg_attr(all(unix, test), get("/"))]),
            parse_quote!(#[cfg_attr(unix, inline, cfg_attr(test, get("/")))]),
        ];
        for attribute in attributes {
            let said = mistakes(&[parse_quote!(#[doc = "x"]), attribute]);
            assert_eq!(said.len(), 1);
        }
    }

    #[test]
    fn another_method_beside_them_is_none() {
        let attributes: [&[Attribute]; 7] = [
            &[parse_quote!(#[post("/")])],
            &[parse_quote!(#[get("/")]), parse_quote!(#[post("/")])],
            &[parse_quote!(#[route("/", method = "GET", method = "POST")])],
            &[parse_quote!(#[route("/", method = "MOVE")])],
            &[
                parse_quote!(#[cfg_attr(a, get("/"))]),
                parse_quote!(#[cfg_attr(not(a), put("/"))]),
            ],
            &[parse_quote!(#[routes])],
            &[parse_quote!(#[inline]), parse_quote!(#[expect(unused)])],
        ];
        for attributes in attributes {
            assert_eq!(mistakes(attributes), Vec::<String>::new());
        }
    }

    #[test]
    fn methods_are_found_in_the_file_that_has_the_function() {
        let file = "mod a { /* é fn */ #[get(\"/\")]\n#[idempotent(required)]\n/// fn\n\
                    pub(crate) async fn f() {} #[post(\"/\")] fn g() {} }\n\
                    macro_rules! m { ($v:vis) => { #[get(\"/\")] $(#[$m])* #[idempotent] $v fn h() {} } }";
        let found = |place: &str| {
            let at = file.find(place).expect("it");
            let start = file[..at].rfind('\n').map_or(0, |at| at + 1);
            let column = file[start..at].chars().count();
            let line = 1 + file[..at].matches('\n').count();
            let attributes = attributes_at(file, LineColumn { line, column });
            let methods = attributes
                .expect("a function")
                .into_iter()
                .flat_map(methods);
            methods.map(|routed| routed.method).collect::<Vec<_>>()
        };
        assert_eq!(found("fn f"), ["GET"]);
        assert_eq!(found("fn h"), ["GET"]);
        assert_eq!(found("fn g"), ["POST"]);
    }

    #[test]
    fn a_place_without_a_function_has_no_attributes() {
        let file = "#[get(\"/\")] async fn f() {}";
        for (line, column) in [(9, 0), (1, 99), (1, 0), (0, 0)] {
            assert!(attributes_at(file, LineColumn { line, column }).is_none());
        }
    }
}
