//! The marked function, and what is checked before any code is generated for it.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Error, Path, Result, ReturnType, Signature, Type, TypeParamBound, Visibility, token,
};

use crate::args::Args;
use crate::mistakes::Mistakes;
use crate::placement;
use crate::routing;

/// A function, its body unread.
pub(crate) struct Handler {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

/// Where the original function ends up.
pub(crate) enum Original {
    /// In the body of the handler, out of everyone's reach.
    Nested,
    /// Beside the handler, under a name that the user gave.
    Named(Ident),
    /// Beside the handler, under a name of ours.
    Hidden(Ident),
}

impl Original {
    pub(crate) fn new(handler: &Handler, args: &Args) -> Self {
        match (&args.inner, args.associated) {
            (Some(name), _) => Self::Named(name.clone()),
            (None, Some(_)) => {
                Self::Hidden(format_ident!("__idempotent_{}", handler.signature.ident))
            }
            (None, None) => Self::Nested,
        }
    }
}

impl Parse for Handler {
    fn parse(input: ParseStream) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if input.fork().parse::<Signature>().is_err() {
            return Err(input.error("expected a function: `#[idempotent]` marks handlers"));
        }
        let signature = input.parse()?;
        if !input.peek(token::Brace) {
            return Err(input.error("expected a function with a body"));
        }
        Ok(Self {
            attributes,
            visibility,
            signature,
            body: input.parse()?,
        })
    }
}

impl Handler {
    /// Whether it is neither `async` nor returns a future.
    pub(crate) fn is_plain(&self) -> bool {
        self.signature.asyncness.is_none() && is_no_future(&self.signature.output)
    }

    /// Another body in the place of the user's.
    pub(crate) fn braced(&self, statements: TokenStream) -> Group {
        let mut body = Group::new(Delimiter::Brace, statements);
        body.set_span(self.body.span());
        body
    }

    /// Notes everything for which no handler can be generated.
    pub(crate) fn check(&self, args: &Args, mistakes: &mut Mistakes) {
        let signature = &self.signature;
        if let Some(receiver) = signature.receiver() {
            let expected = "expected a function without `self`: actix-web calls a handler with \
                            extractors only (keep shared state in `web::Data`)";
            mistakes.push(Error::new_spanned(receiver, expected));
        } else if args.associated.is_none()
            && let Some(span) = find_self_type(signature.to_token_stream())
        {
            let expected = "expected a type that is visible in a function of its own: \
                            write `associated` to use `Self`";
            mistakes.push(Error::new(span, expected));
        }
        if self.is_plain() {
            let expected = "expected an `async` function, or one that returns a future: actix-web awaits a handler";
            mistakes.push(Error::new_spanned(signature.fn_token, expected));
        }
        if let Some(unsafety) = &signature.unsafety {
            let expected = "expected a safe function: actix-web cannot call an `unsafe` handler";
            mistakes.push(Error::new_spanned(unsafety, expected));
        }
        if let Some(abi) = &signature.abi {
            let expected = "expected a function with the Rust ABI: a handler cannot be `extern`";
            mistakes.push(Error::new_spanned(abi, expected));
        }
        if let Some(variadic) = &signature.variadic {
            let expected = "expected a fixed list of extractors: a handler cannot be variadic";
            mistakes.push(Error::new_spanned(variadic, expected));
        }
        if let Some(inner) = args
            .inner
            .as_ref()
            .filter(|inner| **inner == signature.ident)
        {
            let expected = "expected a name other than the handler's own";
            mistakes.push(Error::new_spanned(inner, expected));
        }
        placement::check(&self.attributes, mistakes);
        routing::check(&self.attributes, signature.fn_token.span, mistakes);
    }
}

/// Whether a function certainly returns no future, as far as a name tells.
fn is_no_future(output: &ReturnType) -> bool {
    const ANSWERS: [&str; 6] = [
        "HttpResponse",
        "Result",
        "Option",
        "String",
        "Json",
        "Either",
    ];
    let is_last = |path: &Path, names: &[&str]| {
        let last = path.segments.last();
        last.is_some_and(|last| names.iter().any(|name| last.ident == name))
    };
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, returned) => match &**returned {
            Type::Path(named) => is_last(&named.path, &ANSWERS),
            Type::ImplTrait(bounded) => bounded.bounds.iter().any(|bound| {
                matches!(bound, TypeParamBound::Trait(it) if is_last(&it.path, &["Responder"]))
            }),
            _ => false,
        },
    }
}

fn find_self_type(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(name) if name == "Self" => Some(name.span()),
        TokenTree::Group(group) => find_self_type(group.stream()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn mistakes(function: TokenStream, args: &Args) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        if let Some(handler) = mistakes.note(syn::parse2::<Handler>(function)) {
            handler.check(args, &mut mistakes);
        }
        mistakes.messages()
    }

    #[test]
    fn functions_of_every_shape_are_accepted() {
        for function in [
            quote!(
                async fn f() -> HttpResponse {}
            ),
            quote!(
                pub(crate) fn f<T: X, const N: usize>(mut a: A) -> impl Future<Output = R>
                where
                    T: Y,
                {
                }
            ),
            quote!(
                #[doc = "x"]
                pub async fn r#type((a, b): (A, B)) -> Result<impl R, E> {
                    #![allow(x)]
                }
            ),
        ] {
            assert_eq!(mistakes(function, &Args::default()), Vec::<String>::new());
        }
    }

    #[test]
    fn other_items_get_one_mistake() {
        for item in [
            quote!(
                pub struct S;
            ),
            quote!(impl S {}),
            quote!(
                async fn f();
            ),
            quote!(let f = || 1;),
        ] {
            assert_eq!(mistakes(item, &Args::default()).len(), 1);
        }
    }

    #[test]
    fn every_mistake_of_a_signature_is_reported() {
        let function = quote!(
            unsafe extern "C" fn f(&self, args: ...) {}
        );
        assert_eq!(mistakes(function, &Args::default()).len(), 5);
    }

    #[test]
    fn self_type_needs_an_associated_handler() {
        let function = quote!(
            async fn f(body: Json<Self>) {}
        );
        assert_eq!(mistakes(function.clone(), &Args::default()).len(), 1);
        let associated = Args {
            associated: Some(Span::call_site()),
            ..Args::default()
        };
        assert!(mistakes(function, &associated).is_empty());
    }
}
