//! Values of options as tokens of the constant that holds them. They know no option.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ExprPath;

pub(crate) fn millis(ms: u64) -> TokenStream {
    let span = Span::mixed_site();
    quote_spanned!(span=> ::core::time::Duration::from_millis(#ms))
}

pub(crate) fn number(number: u64) -> TokenStream {
    Literal::u64_unsuffixed(number).into_token_stream()
}

pub(crate) fn variant(of: &str, name: &str) -> TokenStream {
    let span = Span::mixed_site();
    let (of, name) = (Ident::new(of, span), Ident::new(name, span));
    quote_spanned!(span=> ::idempotency_actix::#of::#name)
}

pub(crate) fn ranges(ranges: &[(u16, u16)]) -> TokenStream {
    let ranges = ranges.iter().map(|(first, last)| quote!((#first, #last)));
    quote!(&[#(#ranges),*])
}

pub(crate) fn texts(texts: &[String]) -> TokenStream {
    quote!(&[#(#texts),*])
}

/// A function of the user's, borrowed as a constant. From its first token to its last it has the place of
/// the path, where the compiler then says what is wrong with the function.
pub(crate) fn function(path: &ExprPath) -> TokenStream {
    let mut places = path.to_token_stream().into_iter().map(|token| token.span());
    let first = places.next().unwrap_or_else(Span::call_site);
    let last = places.last().unwrap_or(first);
    let by = quote_spanned!(first=> &::idempotency_actix::__private::By);
    let content = quote_spanned!(last=> #path, ::core::marker::PhantomData);
    let mut arguments = Group::new(Delimiter::Parenthesis, content);
    arguments.set_span(last);
    quote!(#by #arguments)
}
