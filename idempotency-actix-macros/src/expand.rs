//! The generated code: a handler that hands the original function to the middleware.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{GenericParam, Generics, Signature, parse_quote_spanned};

use crate::args::Args;
use crate::handler::{Handler, Original};
use crate::placement::{self, Placed};

pub(crate) fn expand(handler: &Handler, args: &Args) -> TokenStream {
    let original = Original::new(handler, args);
    let nested = matches!(original, Original::Nested);
    let placed = placement::place(&handler.attributes, nested);
    let beside = beside(handler, &original, &placed);
    let outer = outer(handler, args, &original, &placed);
    quote!(#outer #beside)
}

/// The function without its mark, as one that can be routed.
pub(crate) fn unmarked(handler: &Handler) -> TokenStream {
    let (attributes, visibility) = (&handler.attributes, &handler.visibility);
    let (signature, body) = (&handler.signature, &handler.body);
    let head = handler.is_plain().then(|| quote!(async));
    quote!(#(#attributes)* #visibility #head #signature #body)
}

/// What the rest of the application may name although the attribute has mistakes.
pub(crate) fn stand_in(handler: &Handler, args: &Args) -> Option<TokenStream> {
    let original = Original::new(handler, args);
    let placed = placement::place(&handler.attributes, false);
    match &original {
        Original::Named(name) if *name != handler.signature.ident => {
            beside(handler, &original, &placed)
        }
        _ => None,
    }
}

fn outer(handler: &Handler, args: &Args, original: &Original, placed: &Placed) -> TokenStream {
    let span = Span::mixed_site();
    let visibility = &handler.visibility;
    let name = &handler.signature.ident;
    let generics = outer_generics(&handler.signature.generics, args.associated);
    let (parameters, _, bounds) = generics.split_for_impl();
    let private = quote_spanned!(span=> ::idempotency_actix::__private);
    let setters = &args.setters;
    let attributes = &placed.handler;
    let nested = nested(handler, original, placed);
    let callable = callable(handler, args, original);
    // No named constant: an item of ours would shadow the user's inside the nested function.
    let statements = quote_spanned! {span=>
        #nested
        #private::Marked::run(
            __marked,
            #callable,
            const { &#private::RouteOptions::new()#setters },
        )
        .await
    };
    // The function as a whole is the user's: of code of ours the compiler would not say that it is unused.
    let fn_token = handler.signature.fn_token;
    let head = quote_spanned!(fn_token.span=> async #fn_token);
    let body = handler.braced(statements);
    quote_spanned! {span=>
        #attributes
        #visibility #head #name #parameters (__marked: #private::Marked) -> #private::HttpResponse
        #bounds
        #body
    }
}

fn nested(handler: &Handler, original: &Original, placed: &Placed) -> Option<TokenStream> {
    let (attributes, signature, body) = (&placed.original, &handler.signature, &handler.body);
    matches!(original, Original::Nested).then(|| quote!(#attributes #signature #body))
}

fn beside(handler: &Handler, original: &Original, placed: &Placed) -> Option<TokenStream> {
    let (attributes, body) = (&placed.original, &handler.body);
    let renamed = |name: &syn::Ident| Signature {
        ident: name.clone(),
        ..handler.signature.clone()
    };
    match original {
        Original::Nested => None,
        Original::Named(name) => {
            let (visibility, signature) = (&handler.visibility, renamed(name));
            let doc = format!("`{}` without idempotency.", handler.signature.ident);
            Some(quote!(#[doc = #doc] #attributes #visibility #signature #body))
        }
        Original::Hidden(name) => {
            let signature = renamed(name);
            Some(quote!(#[doc(hidden)] #attributes #signature #body))
        }
    }
}

/// The original as a value, such as `charge::<T, N>`.
fn callable(handler: &Handler, args: &Args, original: &Original) -> TokenStream {
    let name = match original {
        Original::Nested => &handler.signature.ident,
        Original::Named(name) | Original::Hidden(name) => name,
    };
    let associated = args.associated.map(|written| {
        let span = Span::mixed_site().located_at(written);
        quote_spanned!(span=> Self::)
    });
    let generics = handler.signature.generics.params.iter();
    let arguments: Vec<_> = generics
        .filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    match arguments[..] {
        [] => quote!(#associated #name),
        _ => quote!(#associated #name::<#(#arguments),*>),
    }
}

/// The generics of the original; a handler must be `'static`, which actix-web asks only where it is routed.
fn outer_generics(generics: &Generics, associated: Option<Span>) -> Generics {
    let span = Span::mixed_site();
    let mut outer = generics.clone();
    let parameters = generics.type_params().map(|parameter| &parameter.ident);
    let mut bounds: Vec<syn::WherePredicate> = parameters
        .map(|name| parse_quote_spanned!(span=> #name: 'static))
        .collect();
    if let Some(written) = associated {
        let span = span.located_at(written);
        bounds.push(parse_quote_spanned!(span=> Self: 'static));
    }
    if !bounds.is_empty() {
        outer.make_where_clause().predicates.extend(bounds);
    }
    outer
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;
    use crate::mistakes::Mistakes;

    fn expanded(args: TokenStream, handler: Handler) -> String {
        let mut mistakes = Mistakes::default();
        let args = Args::parse(args, &mut mistakes);
        assert_eq!(mistakes.messages(), Vec::<String>::new());
        expand(&handler, &args).to_string()
    }

    #[test]
    fn original_is_nested_and_handed_over() {
        let expected = quote! {
            #[doc = "x"]
            pub async fn f(__marked: ::idempotency_actix::__private::Marked)
                -> ::idempotency_actix::__private::HttpResponse
            {
                async fn f(body: Json<X>) -> impl Responder { body }
                ::idempotency_actix::__private::Marked::run(
                    __marked,
                    f,
                    const { &::idempotency_actix::__private::RouteOptions::new()
                        .ttl(::core::time::Duration::from_millis(86400000u64)) },
                )
                .await
            }
        };
        let handler = parse_quote! {
            #[doc = "x"]
            pub async fn f(body: Json<X>) -> impl Responder { body }
        };
        assert_eq!(expanded(quote!(ttl = "24h"), handler), expected.to_string());
    }

    #[test]
    fn named_original_stands_beside_and_is_called_with_its_generics() {
        let code = expanded(
            quote!(inner = raw, associated),
            parse_quote!(
                pub async fn f<'a, T: X, const N: usize>(a: A<'a, T, N>) -> R {}
            ),
        );
        let call = quote!(__marked, Self::raw::<T, N>).to_string();
        assert!(code.contains(&call), "{code}");
        let original = quote!(
            pub async fn raw<'a, T: X, const N: usize>(a: A<'a, T, N>) -> R {}
        );
        assert!(code.ends_with(&original.to_string()), "{code}");
    }
}
