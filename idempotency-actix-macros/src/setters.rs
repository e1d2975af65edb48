//! The options as the calls that set them in a constant `RouteOptions`.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ExprPath;

use crate::args::{Args, Fingerprint};

pub(crate) fn setters(args: &Args) -> TokenStream {
    let span = Span::mixed_site();
    let mut calls = TokenStream::new();
    let mut call = |setter: &str, value: Option<TokenStream>| {
        let setter = Ident::new(setter, span);
        calls.extend(value.map(|value| quote_spanned!(span=> .#setter(#value))));
    };
    call("ttl", args.ttl_ms.map(millis));
    call("lease", args.lease_ms.map(millis));
    call("required", args.required.map(switch));
    let header = args.key_header.as_ref();
    call("fixed_key_header", header.map(ToTokens::to_token_stream));
    call("fixed_key", args.key.as_ref().map(function));
    call("strict_keys", args.strict_keys.map(switch));
    call("fixed_scope", args.scope.as_ref().map(function));
    let fingerprint = args.fingerprint.as_ref();
    call("fixed_fingerprint", fingerprint.map(fingerprinting));
    call("fixed_vary", args.vary.as_deref().map(texts));
    call("wait", args.wait_ms.map(millis));
    call("max_in_flight", args.max_in_flight.map(number));
    let unknown = args.on_unknown;
    call("on_unknown", unknown.map(|to| variant("OnUnknown", to)));
    call("fixed_recover", args.recover.as_ref().map(function));
    let failure = args.on_store_failure;
    call(
        "on_store_failure",
        failure.map(|to| variant("OnStoreFailure", to)),
    );
    call("fixed_release_on", args.release_on.as_deref().map(ranges));
    call("max_body", args.max_body.map(number));
    call("max_response", args.max_response.map(number));
    call("keep_cookies", args.keep_cookies.map(switch));
    calls
}

fn millis(ms: u64) -> TokenStream {
    let span = Span::mixed_site();
    quote_spanned!(span=> ::core::time::Duration::from_millis(#ms))
}

fn switch(on: bool) -> TokenStream {
    quote!(#on)
}

fn number(number: u64) -> TokenStream {
    Literal::u64_unsuffixed(number).into_token_stream()
}

fn variant(of: &str, name: &str) -> TokenStream {
    let span = Span::mixed_site();
    let (of, name) = (Ident::new(of, span), Ident::new(name, span));
    quote_spanned!(span=> ::idempotency_actix::#of::#name)
}

fn ranges(ranges: &[(u16, u16)]) -> TokenStream {
    let ranges = ranges.iter().map(|(first, last)| quote!((#first, #last)));
    quote!(&[#(#ranges),*])
}

fn texts(texts: &[String]) -> TokenStream {
    quote!(&[#(#texts),*])
}

fn fingerprinting(fingerprint: &Fingerprint) -> TokenStream {
    let span = Span::mixed_site();
    let mode = match fingerprint {
        Fingerprint::Bytes => quote_spanned!(span=> bytes()),
        Fingerprint::Json => quote_spanned!(span=> json()),
        Fingerprint::Multipart => quote_spanned!(span=> multipart()),
        Fingerprint::By(path) => {
            let function = function(path);
            quote_spanned!(span=> fixed(#function))
        }
    };
    quote_spanned!(span=> ::idempotency_actix::Fingerprinting::#mode)
}

/// A function of the user's, borrowed as a constant. From its first token to its last it has the place of
/// the path, where the compiler then says what is wrong with the function.
fn function(path: &ExprPath) -> TokenStream {
    let mut places = path.to_token_stream().into_iter().map(|token| token.span());
    let first = places.next().unwrap_or_else(Span::call_site);
    let last = places.last().unwrap_or(first);
    let by = quote_spanned!(first=> &::idempotency_actix::__private::By);
    let content = quote_spanned!(last=> #path, ::core::marker::PhantomData);
    let mut arguments = Group::new(Delimiter::Parenthesis, content);
    arguments.set_span(last);
    quote!(#by #arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mistakes::Mistakes;

    #[track_caller]
    fn assert_calls(written: TokenStream, expected: TokenStream) {
        let mut mistakes = Mistakes::default();
        let args = Args::parse(written, &mut mistakes);
        assert_eq!(mistakes.messages(), Vec::<String>::new());
        assert_eq!(setters(&args).to_string(), expected.to_string());
    }

    #[test]
    fn options_are_passed_in_their_own_units() {
        assert_calls(
            quote!(
                lease = "1s",
                required = false,
                wait = "0s",
                max_in_flight = 10,
                release_on = [429, 500..=599],
                max_body = "1KiB"
            ),
            quote! {
                .lease(::core::time::Duration::from_millis(1000u64)).required(false)
                .wait(::core::time::Duration::from_millis(0u64)).max_in_flight(10)
                .fixed_release_on(&[(429u16, 429u16), (500u16, 599u16)]).max_body(1024)
            },
        );
    }

    #[test]
    fn words_become_the_choices_that_they_name() {
        assert_calls(
            quote!(
                on_unknown = "rerun",
                on_store_failure = "run",
                fingerprint = "bytes",
                vary = ["Host", "x-version"],
                key_header = "Webhook-Id"
            ),
            quote! {
                .fixed_key_header("webhook-id")
                .fixed_fingerprint(::idempotency_actix::Fingerprinting::bytes())
                .fixed_vary(&["host", "x-version"])
                .on_unknown(::idempotency_actix::OnUnknown::Rerun)
                .on_store_failure(::idempotency_actix::OnStoreFailure::Run)
            },
        );
    }

    #[test]
    fn functions_are_borrowed_as_constants() {
        let by = |path: TokenStream| quote!(&::idempotency_actix::__private::By(#path, ::core::marker::PhantomData));
        let (key, scope) = (by(quote!(key)), by(quote!(Self::tenant)));
        let (payload, recover) = (by(quote!(a::payload)), by(quote!(look_up::<T>)));
        assert_calls(
            quote!(
                key = key,
                scope = Self::tenant,
                fingerprint = a::payload,
                recover = look_up::<T>
            ),
            quote! {
                .fixed_key(#key).fixed_scope(#scope)
                .fixed_fingerprint(::idempotency_actix::Fingerprinting::fixed(#payload))
                .fixed_recover(#recover)
            },
        );
    }
}
