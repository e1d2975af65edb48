//! The options between the parentheses: tokens to typed arguments.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Error, Expr, Result, Token};

use crate::mistakes::Mistakes;
use crate::value::{self, Limits};

/// Every option, with an example of its use.
const KNOWN: [(&str, &str); 10] = [
    ("ttl", r#"ttl = "24h""#),
    ("lease", r#"lease = "30s""#),
    ("required", "required"),
    ("release_on", "release_on = [429, 500..=599]"),
    ("max_body", r#"max_body = "2MiB""#),
    ("max_response", r#"max_response = "1MiB""#),
    ("keep_cookies", "keep_cookies"),
    ("on_store_failure", r#"on_store_failure = "run""#),
    ("associated", "associated"),
    ("inner", "inner = charge_unprotected"),
];

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

/// The options of one attribute; what was not written stays `None` and keeps the middleware's value.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) lease_ms: Option<u64>,
    pub(crate) required: Option<bool>,
    pub(crate) release_on: Option<Vec<(u16, u16)>>,
    pub(crate) max_body: Option<u64>,
    pub(crate) max_response: Option<u64>,
    pub(crate) keep_cookies: Option<bool>,
    pub(crate) on_store_failure: Option<&'static str>,
    /// Where `associated` was written.
    pub(crate) associated: Option<Span>,
    pub(crate) inner: Option<Ident>,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let written = Parser::parse2(|input: ParseStream| written(input, mistakes), tokens);
        let mut args = Self::default();
        let mut seen = Vec::new();
        for option in mistakes.note(written).unwrap_or_default() {
            if seen.contains(&option.name) {
                let twice = format!("`{}` is given twice: expected it once", option.name);
                mistakes.push(Error::new(option.name.span(), twice));
                continue;
            }
            mistakes.note(args.set(&option));
            seen.push(option.name);
        }
        args
    }

    fn set(&mut self, option: &Written) -> Result<()> {
        match option.name.to_string().as_str() {
            "ttl" => self.ttl_ms = Some(value::duration(option.value()?, &TTL)?),
            "lease" => self.lease_ms = Some(value::duration(option.value()?, &LEASE)?),
            "required" => self.required = Some(option.switch()?),
            "release_on" => self.release_on = Some(value::statuses(option.value()?)?),
            "max_body" => self.max_body = Some(value::size(option.value()?)?),
            "max_response" => self.max_response = Some(value::size(option.value()?)?),
            "keep_cookies" => self.keep_cookies = Some(option.switch()?),
            "on_store_failure" => {
                let choices = [("reject", "Reject"), ("run", "Run")];
                self.on_store_failure = Some(value::choice(option.value()?, &choices)?);
            }
            "associated" => self.associated = Some(option.no_value()?),
            "inner" => self.inner = Some(value::name(option.value()?)?),
            _ => return Err(option.unknown()),
        }
        Ok(())
    }
}

/// One option as it was written: `name` or `name = value`.
struct Written {
    name: Ident,
    value: Option<Expr>,
}

impl Parse for Written {
    fn parse(input: ParseStream) -> Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected an option: one of {}", known())));
        }
        let name = Ident::parse_any(input)?;
        let equals: Option<Token![=]> = input.parse()?;
        let value = match equals {
            Some(equals) if input.is_empty() || input.peek(Token![,]) => {
                return Err(Error::new_spanned(
                    equals,
                    "expected a value after this `=`",
                ));
            }
            Some(_) => Some(input.parse().map_err(|cause: Error| {
                let expected = "expected a value: text, a number, a switch, a list or a name";
                Error::new(cause.span(), expected)
            })?),
            None => None,
        };
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(Self { name, value });
        }
        Err(input.error(match value {
            Some(_) => "expected `,` before the next option",
            None => "expected `=` and a value, or `,` before the next option",
        }))
    }
}

impl Written {
    fn value(&self) -> Result<&Expr> {
        self.value.as_ref().ok_or_else(|| {
            let example = KNOWN.iter().find(|(name, _)| self.name == name);
            let example = example.map_or("", |(_, example)| example);
            let expected = format!("`{}` needs a value, such as `{example}`", self.name);
            Error::new(self.name.span(), expected)
        })
    }

    /// A flag: `name`, or `name = false` to take it back.
    fn switch(&self) -> Result<bool> {
        self.value.as_ref().map_or(Ok(true), value::switch)
    }

    fn no_value(&self) -> Result<Span> {
        match &self.value {
            None => Ok(self.name.span()),
            Some(value) => {
                let expected = format!("`{0}` takes no value: write only `{0}`", self.name);
                Err(Error::new_spanned(value, expected))
            }
        }
    }

    fn unknown(&self) -> Error {
        let written = self.name.to_string();
        let nearest = KNOWN
            .iter()
            .map(|(name, _)| (distance(&written, name), name))
            .min()
            .filter(|(distance, _)| *distance <= 2)
            .map(|(_, name)| format!(": did you mean `{name}`?"))
            .unwrap_or_default();
        let said = format!(
            "unknown option `{written}`{nearest} (known are {})",
            known()
        );
        Error::new(self.name.span(), said)
    }
}

/// Reads the list; after a mistake it goes on behind the next comma.
fn written(input: ParseStream, mistakes: &mut Mistakes) -> Result<Vec<Written>> {
    let mut options = Vec::new();
    while !input.is_empty() {
        options.extend(mistakes.note(input.parse()));
        while !input.is_empty() && !input.peek(Token![,]) {
            input.parse::<TokenTree>()?;
        }
        input.parse::<Option<Token![,]>>()?;
    }
    Ok(options)
}

fn known() -> String {
    KNOWN.map(|(name, _)| format!("`{name}`")).join(", ")
}

/// How many letters must be added, removed or replaced to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
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
            ttl = "1h", lease = "5s", required = false, release_on = [], max_body = 1,
            max_response = "1KiB", associated, inner = raw,
        });
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!((args.ttl_ms, args.lease_ms), (Some(3_600_000), Some(5_000)));
        assert_eq!((args.max_body, args.max_response), (Some(1), Some(1024)));
        assert_eq!(
            (args.required, args.release_on),
            (Some(false), Some(vec![]))
        );
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
    fn unknown_option_is_answered_with_the_nearest_one() {
        let (_, mistakes) = parse(quote!(max_boddy = 1, foobar));
        assert!(mistakes[0].contains("did you mean `max_body`?"));
        assert!(!mistakes[1].contains("did you mean"));
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("lease", "lease"), 0);
        assert_eq!(distance("leese", "lease"), 1);
        assert_eq!(distance("", "ttl"), 3);
        assert_eq!(distance("requires", "required"), 1);
    }
}
