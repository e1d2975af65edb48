//! The options between the parentheses: tokens to the calls that set them in a constant `RouteOptions`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::Result;
use syn::parse::{ParseStream, Parser};

use crate::known::{self, Sets};
use crate::mistakes::Mistakes;
use crate::together;
use crate::value;
use crate::written::{self, Written};

/// The options of one attribute.
#[derive(Default)]
pub(crate) struct Args {
    /// What was not written is not called, and stays as the layer has it.
    pub(crate) setters: TokenStream,
    /// Where `associated` was written.
    pub(crate) associated: Option<Span>,
    pub(crate) inner: Option<Ident>,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let list = Parser::parse2(|input: ParseStream| written::list(input, mistakes), tokens);
        let mut args = Self::default();
        let mut before = Vec::new();
        let options = mistakes.note(list).unwrap_or_default();
        together::check(&options, mistakes);
        for option in options {
            if before.contains(&option.name) {
                mistakes.push(option.twice());
                continue;
            }
            mistakes.note(option.check_beside(&before));
            mistakes.note(args.set(&option));
            before.push(option.name);
        }
        args
    }

    fn set(&mut self, option: &Written) -> Result<()> {
        let known = known::find(&option.name.to_string()).ok_or_else(|| option.unknown())?;
        match known.sets {
            Sets::Route(setter, argument) => {
                let (setter, argument) =
                    (Ident::new(setter, Span::mixed_site()), argument(option)?);
                let span = Span::mixed_site();
                self.setters
                    .extend(quote_spanned!(span=> .#setter(#argument)));
            }
            Sets::Associated => self.associated = Some(option.no_value()?),
            Sets::Inner => self.inner = Some(value::name(option.value()?)?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn parse(tokens: TokenStream) -> (Args, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let args = Args::parse(tokens, &mut mistakes);
        (args, mistakes.messages())
    }

    #[track_caller]
    fn assert_calls(written: TokenStream, expected: TokenStream) {
        let (args, mistakes) = parse(written);
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(args.setters.to_string(), expected.to_string());
    }

    #[test]
    fn what_is_not_written_is_left_to_the_layer() {
        assert_calls(quote!(), quote!());
    }

    #[test]
    fn what_is_no_option_of_the_route_is_kept_apart() {
        let (args, mistakes) = parse(quote!(associated, inner = raw));
        assert!(mistakes.is_empty() && args.setters.is_empty());
        assert!(args.associated.is_some() && args.inner.is_some());
    }

    #[test]
    fn options_are_passed_in_their_own_units() {
        assert_calls(
            quote!(
                lease = "1s",
                required = false,
                wait = "0s",
                max_in_flight = 10,
                transaction_runs = 5,
                release_on = [429, 500..=599],
                max_body = "1KiB"
            ),
            quote! {
                .lease(::core::time::Duration::from_millis(1000u64)).required(false)
                .wait(::core::time::Duration::from_millis(0u64)).max_in_flight(10)
                .transaction_runs(5)
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
                transaction = "serializable",
                fingerprint = "bytes",
                vary = ["Host", "x-version"],
                key_header = "Webhook-Id",
                key_format = "uuid7"
            ),
            quote! {
                .on_unknown(::idempotency_actix::OnUnknown::Rerun)
                .on_store_failure(::idempotency_actix::OnStoreFailure::Run)
                .transaction(::idempotency_actix::Isolation::Serializable)
                .fixed_fingerprint(::idempotency_actix::Fingerprinting::bytes())
                .fixed_vary(&["host", "x-version"])
                .fixed_key_header("webhook-id")
                .fixed_key_format(::idempotency_actix::KeyFormat::uuid7())
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

    #[test]
    fn all_mistakes_are_reported_and_the_rest_is_still_read() {
        let (args, mistakes) =
            parse(quote!(ttl = 5, 7, lease("1s"), required =, required, required, tl));
        assert_eq!(mistakes.len(), 6, "{mistakes:?}");
        assert_eq!(
            args.setters.to_string(),
            quote!(.required(true)).to_string()
        );
    }

    #[test]
    fn wait_ends_after_five_minutes() {
        assert_calls(
            quote!(wait = "5m"),
            quote!(.wait(::core::time::Duration::from_millis(300000u64))),
        );
        let (_, mistakes) = parse(quote!(wait = "301s"));
        assert_eq!(mistakes, ["expected a duration of 0s to 5m"]);
    }

    #[test]
    fn fingerprint_is_a_word_or_a_function() {
        for wrong in [quote!("JSON"), quote!(1), quote!(|_, _| [])] {
            let (_, mistakes) = parse(quote!(fingerprint = #wrong));
            assert!(
                mistakes[0].starts_with("expected `\"bytes\"`, `\"json\"`, `\"multipart\"` or")
            );
        }
    }

    #[test]
    #[cfg(feature = "json")]
    fn json_fingerprint_is_there_with_its_feature() {
        assert_calls(
            quote!(fingerprint = "json"),
            quote!(.fixed_fingerprint(::idempotency_actix::Fingerprinting::json())),
        );
    }

    #[test]
    #[cfg(not(feature = "json"))]
    fn json_fingerprint_asks_for_its_feature() {
        let (_, mistakes) = parse(quote!(fingerprint = "json"));
        let expected = "expected the feature `json` of `idempotency-actix` with this: \
                        add `features = [\"json\"]` to the dependency";
        assert_eq!(mistakes, [expected]);
    }

    #[test]
    #[cfg(feature = "multipart")]
    fn multipart_fingerprint_is_there_with_its_feature() {
        assert_calls(
            quote!(fingerprint = "multipart"),
            quote!(.fixed_fingerprint(::idempotency_actix::Fingerprinting::multipart())),
        );
    }

    #[test]
    #[cfg(not(feature = "multipart"))]
    fn multipart_fingerprint_asks_for_its_feature() {
        let (_, mistakes) = parse(quote!(fingerprint = "multipart"));
        let expected = "expected the feature `multipart` of `idempotency-actix` with this: \
                        add `features = [\"multipart\"]` to the dependency";
        assert_eq!(mistakes, [expected]);
    }

    #[test]
    fn second_answer_to_one_question_is_a_mistake_whatever_the_order() {
        let (one, other) = (quote!(recover = a), quote!(on_unknown = "rerun"));
        for written in [quote!(#one, #other), quote!(#other, #one)] {
            let (_, mistakes) = parse(written);
            assert_eq!(mistakes.len(), 1);
            assert!(mistakes[0].contains("are two answers to one question"));
        }
    }

    #[test]
    fn value_of_a_second_answer_is_checked_too() {
        let (_, mistakes) = parse(quote!(recover = a, on_unknown = "run"));
        assert_eq!(mistakes.len(), 2);
    }

    #[test]
    fn unknown_option_is_answered_with_the_nearest_one() {
        let (_, mistakes) = parse(quote!(max_boddy = 1, foobar));
        assert!(mistakes[0].contains("did you mean `max_body`?"));
        assert!(!mistakes[1].contains("did you mean"));
    }
}
