//! The options as they are written between the parentheses, not yet understood.

use proc_macro2::{Ident, Span, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, Result, Token};

use crate::known;
use crate::mistakes::Mistakes;
use crate::value;

/// Reads the list; after a mistake it goes on behind the next comma.
pub(crate) fn list(input: ParseStream, mistakes: &mut Mistakes) -> Result<Vec<Written>> {
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

/// One option as it was written: `name` or `name = value`.
pub(crate) struct Written {
    pub(crate) name: Ident,
    value: Option<Expr>,
}

impl Parse for Written {
    fn parse(input: ParseStream) -> Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected an option: one of {}", known::names())));
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
                let expected =
                    "expected a value: text, a number, a switch, a list, a name or a path";
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
    pub(crate) fn value(&self) -> Result<&Expr> {
        self.value.as_ref().ok_or_else(|| {
            let example = known::example(&self.name.to_string()).unwrap_or_default();
            let expected = format!("`{}` needs a value, such as `{example}`", self.name);
            Error::new(self.name.span(), expected)
        })
    }

    /// A flag: `name`, or `name = false` to take it back.
    pub(crate) fn switch(&self) -> Result<bool> {
        self.value.as_ref().map_or(Ok(true), value::switch)
    }

    pub(crate) fn no_value(&self) -> Result<Span> {
        match &self.value {
            None => Ok(self.name.span()),
            Some(value) => {
                let expected = format!("`{0}` takes no value: write only `{0}`", self.name);
                Err(Error::new_spanned(value, expected))
            }
        }
    }

    pub(crate) fn twice(&self) -> Error {
        let said = format!("`{}` is given twice: expected it once", self.name);
        Error::new(self.name.span(), said)
    }

    /// Whether it goes together with those that stand before it.
    pub(crate) fn check_beside(&self, before: &[Ident]) -> Result<()> {
        let name = self.name.to_string();
        let rival = known::rival(&name).filter(|rival| before.iter().any(|name| name == rival));
        rival.map_or(Ok(()), |rival| {
            let said = format!(
                "`{rival}` and `{name}` are two answers to one question: expected one of them"
            );
            Err(Error::new(self.name.span(), said))
        })
    }

    pub(crate) fn unknown(&self) -> Error {
        let written = self.name.to_string();
        let said = match known::nearest(&written) {
            Some(meant) => format!("unknown option `{written}`: did you mean `{meant}`?"),
            None => format!("unknown option `{written}`: known are {}", known::names()),
        };
        Error::new(self.name.span(), said)
    }
}
