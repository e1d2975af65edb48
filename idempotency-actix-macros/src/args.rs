//! The options between the parentheses: tokens to typed arguments.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprPath, Result};

use crate::mistakes::Mistakes;
use crate::statuses::statuses;
use crate::value::{self, Limits};
use crate::written::{self, Written};

const TTL: Limits = Limits {
    min: Duration::from_millis(1),
    max: Duration::from_secs(10 * 31_557_600),
    spoken: "1ms to 10years",
};

// A claim is renewed every third of its lease: shorter ones would lapse between two timer ticks.
const LEASE: Limits = Limits {
    min: Duration::from_millis(10),
    max: Duration::from_secs(24 * 3600),
    spoken: "10ms to 24h",
};

const WAIT: Limits = Limits {
    min: Duration::ZERO,
    max: Duration::from_secs(5 * 60),
    spoken: "0s to 5m",
};

/// The options of one attribute; what was not written stays `None` and keeps the middleware's value.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) lease_ms: Option<u64>,
    pub(crate) required: Option<bool>,
    /// In lower case.
    pub(crate) key_header: Option<String>,
    pub(crate) key: Option<ExprPath>,
    pub(crate) strict_keys: Option<bool>,
    pub(crate) scope: Option<ExprPath>,
    pub(crate) fingerprint: Option<Fingerprint>,
    /// In lower case.
    pub(crate) vary: Option<Vec<String>>,
    pub(crate) wait_ms: Option<u64>,
    pub(crate) max_in_flight: Option<u64>,
    pub(crate) on_unknown: Option<&'static str>,
    pub(crate) recover: Option<ExprPath>,
    pub(crate) on_store_failure: Option<&'static str>,
    pub(crate) release_on: Option<Vec<(u16, u16)>>,
    pub(crate) max_body: Option<u64>,
    pub(crate) max_response: Option<u64>,
    pub(crate) keep_cookies: Option<bool>,
    /// Where `associated` was written.
    pub(crate) associated: Option<Span>,
    pub(crate) inner: Option<Ident>,
}

/// What makes two requests the same.
pub(crate) enum Fingerprint {
    Bytes,
    Json,
    Multipart,
    By(ExprPath),
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let list = Parser::parse2(|input: ParseStream| written::list(input, mistakes), tokens);
        let mut args = Self::default();
        let mut before = Vec::new();
        for option in mistakes.note(list).unwrap_or_default() {
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
        match option.name.to_string().as_str() {
            "ttl" => self.ttl_ms = Some(value::duration(option.value()?, &TTL)?),
            "lease" => self.lease_ms = Some(value::duration(option.value()?, &LEASE)?),
            "required" => self.required = Some(option.switch()?),
            "key_header" => self.key_header = Some(value::header(option.value()?)?),
            "key" => self.key = Some(value::path(option.value()?)?),
            "strict_keys" => self.strict_keys = Some(option.switch()?),
            "scope" => self.scope = Some(value::path(option.value()?)?),
            "fingerprint" => self.fingerprint = Some(Fingerprint::read(option.value()?)?),
            "vary" => self.vary = Some(value::headers(option.value()?)?),
            "wait" => self.wait_ms = Some(value::duration(option.value()?, &WAIT)?),
            "max_in_flight" => self.max_in_flight = Some(value::count(option.value()?)?),
            "on_unknown" => {
                let choices = [("reject", "Reject"), ("rerun", "Rerun")];
                self.on_unknown = Some(value::choice(option.value()?, &choices)?);
            }
            "recover" => self.recover = Some(value::path(option.value()?)?),
            "on_store_failure" => {
                let choices = [("reject", "Reject"), ("run", "Run")];
                self.on_store_failure = Some(value::choice(option.value()?, &choices)?);
            }
            "release_on" => self.release_on = Some(statuses(option.value()?)?),
            "max_body" => self.max_body = Some(value::size(option.value()?)?),
            "max_response" => self.max_response = Some(value::size(option.value()?)?),
            "keep_cookies" => self.keep_cookies = Some(option.switch()?),
            "associated" => self.associated = Some(option.no_value()?),
            "inner" => self.inner = Some(value::name(option.value()?)?),
            _ => return Err(option.unknown()),
        }
        Ok(())
    }
}

impl Fingerprint {
    fn read(value: &Expr) -> Result<Self> {
        match value::text(value).as_deref() {
            Some("bytes") => Ok(Self::Bytes),
            Some("json") if cfg!(feature = "json") => Ok(Self::Json),
            Some("multipart") if cfg!(feature = "multipart") => Ok(Self::Multipart),
            Some(feature @ ("json" | "multipart")) => value::wrong(
                value,
                format!(
                    "expected the feature `{feature}` of `idempotency-actix` with this: \
                     add `features = [\"{feature}\"]` to the dependency"
                ),
            ),
            _ => value::path(value).map(Self::By).or_else(|_| {
                let expected = "expected `\"bytes\"`, `\"json\"`, `\"multipart\"` or the path of a \
                                function, such as `charges::payload`";
                value::wrong(value, expected)
            }),
        }
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

    #[test]
    fn what_is_not_written_is_left_to_the_middleware() {
        let (args, mistakes) = parse(quote!());
        assert!(mistakes.is_empty());
        assert!(args.ttl_ms.is_none() && args.required.is_none() && args.release_on.is_none());
    }

    #[test]
    fn every_option_is_read() {
        let (args, mistakes) = parse(quote! {
            ttl = "1h", lease = "5s", required = false, key_header = "Webhook-Id", strict_keys,
            scope = tenant, fingerprint = a::payload, vary = ["Host", "x-v"], wait = "0s", max_in_flight = 10,
            recover = Self::look_up, release_on = [], max_body = 1, max_response = "1KiB",
            associated, inner = raw,
        });
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!((args.ttl_ms, args.lease_ms), (Some(3_600_000), Some(5_000)));
        assert_eq!((args.max_body, args.max_response), (Some(1), Some(1024)));
        assert_eq!(
            (args.required, args.release_on),
            (Some(false), Some(vec![]))
        );
        assert_eq!(args.key_header.as_deref(), Some("webhook-id"));
        assert_eq!(args.vary, Some(vec!["host".into(), "x-v".into()]));
        assert_eq!((args.wait_ms, args.max_in_flight), (Some(0), Some(10)));
        assert_eq!(args.strict_keys, Some(true));
        assert!(args.scope.is_some() && args.recover.is_some());
        assert!(matches!(args.fingerprint, Some(Fingerprint::By(_))));
        assert!(args.associated.is_some() && args.inner.is_some());
    }

    #[test]
    fn all_mistakes_are_reported_and_the_rest_is_still_read() {
        let (args, mistakes) =
            parse(quote!(ttl = 5, 7, lease("1s"), required =, required, required, tl));
        assert_eq!(mistakes.len(), 6, "{mistakes:?}");
        assert_eq!(args.required, Some(true));
    }

    #[test]
    fn wait_ends_after_five_minutes() {
        let (args, mistakes) = parse(quote!(wait = "5m"));
        assert_eq!((args.wait_ms, mistakes.len()), (Some(300_000), 0));
        let (_, mistakes) = parse(quote!(wait = "301s"));
        assert_eq!(mistakes, ["expected a duration of 0s to 5m"]);
    }

    #[test]
    fn fingerprint_is_a_word_or_a_function() {
        let (args, _) = parse(quote!(fingerprint = "bytes"));
        assert!(matches!(args.fingerprint, Some(Fingerprint::Bytes)));
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
        let (args, _) = parse(quote!(fingerprint = "json"));
        assert!(matches!(args.fingerprint, Some(Fingerprint::Json)));
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
        let (args, _) = parse(quote!(fingerprint = "multipart"));
        assert!(matches!(args.fingerprint, Some(Fingerprint::Multipart)));
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
        for (one, other) in [
            (quote!(recover = a), quote!(on_unknown = "rerun")),
            (quote!(key = a), quote!(key_header = "a")),
        ] {
            for written in [quote!(#one, #other), quote!(#other, #one)] {
                let (_, mistakes) = parse(written);
                assert_eq!(mistakes.len(), 1);
                assert!(mistakes[0].contains("are two answers to one question"));
            }
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
