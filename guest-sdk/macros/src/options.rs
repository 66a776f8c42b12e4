//! What stands in the brackets of an attribute: `key = value`, `key(list)`, or a bare value.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Token, parenthesized};

/// All mistakes of one macro call, in the order of the source.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<Error>);

impl Mistakes {
    /// Notes a mistake at these tokens.
    pub(crate) fn at(&mut self, tokens: impl quote::ToTokens, message: impl std::fmt::Display) {
        self.0.push(Error::new_spanned(tokens, message));
    }

    /// Notes a mistake at a place.
    pub(crate) fn at_span(&mut self, span: Span, message: impl std::fmt::Display) {
        self.0.push(Error::new(span, message));
    }

    /// The value, or none and the mistake noted.
    pub(crate) fn ok<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// As `compile_error!` calls.
    pub(crate) fn to_tokens(&self) -> TokenStream {
        self.0.iter().map(Error::to_compile_error).collect()
    }
}

/// One entry of an attribute's brackets.
pub(crate) enum Entry {
    /// `key = value`.
    Value(Ident, Expr),
    /// `key(...)`.
    List(Ident, TokenStream),
    /// A value without a key.
    Bare(Expr),
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let key = input.parse()?;
            input.parse::<Token![=]>()?;
            return Ok(Self::Value(key, input.parse()?));
        }
        if input.peek(Ident) && input.peek2(syn::token::Paren) {
            let key = input.parse()?;
            let list;
            parenthesized!(list in input);
            return Ok(Self::List(key, list.parse()?));
        }
        Ok(Self::Bare(input.parse()?))
    }
}

impl Entry {
    /// The key, if there is one.
    pub(crate) fn key(&self) -> Option<&Ident> {
        match self {
            Self::Value(key, _) | Self::List(key, _) => Some(key),
            Self::Bare(_) => None,
        }
    }

    /// Where the entry stands.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Value(key, _) | Self::List(key, _) => key.span(),
            Self::Bare(value) => value.span(),
        }
    }

    /// The value of `key = value`; a mistake for any other form.
    pub(crate) fn value(self, mistakes: &mut Mistakes) -> Option<Expr> {
        match self {
            Self::Value(_, value) => Some(value),
            Self::List(key, list) => {
                mistakes.at(&key, format!("write `{key} = {list}`"));
                None
            }
            Self::Bare(value) => {
                mistakes.at(value, "this needs a value: `key = value`");
                None
            }
        }
    }

    /// The expressions of `key(a, b)`; a mistake for any other form.
    pub(crate) fn list(self, mistakes: &mut Mistakes) -> Vec<Expr> {
        match self {
            Self::List(_, list) => {
                let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
                mistakes.ok(parser.parse2(list)).into_iter().flatten().collect()
            }
            Self::Value(key, value) => {
                mistakes.at(&key, format!("write `{key}({})`", quote!(#value)));
                Vec::new()
            }
            Self::Bare(value) => {
                mistakes.at(value, "this needs a list: `key(a, b)`");
                Vec::new()
            }
        }
    }
}

/// The entries of an attribute's brackets, each key at most once.
pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes, many: &[&str]) -> Vec<Entry> {
    let parser = Punctuated::<Entry, Token![,]>::parse_terminated;
    let Some(entries) = mistakes.ok(parser.parse2(tokens)) else {
        return Vec::new();
    };
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        let again = entry.key().is_some_and(|key| {
            !many.iter().any(|name| key == name) && kept.iter().any(|old| old.key() == Some(key))
        });
        if again {
            mistakes.at_span(entry.span(), "given twice; keep one");
        } else {
            kept.push(entry);
        }
    }
    kept
}

/// The message for a key that nobody knows, with what is probably meant.
pub(crate) fn unknown(entry: &Entry, place: &str, known: &[&str], mistakes: &mut Mistakes) {
    let message = match entry.key() {
        None => format!("{place} takes {}", list_of(known)),
        Some(key) => {
            let hint = match key.to_string().as_str() {
                "wait_time" => "; write `wait = ...`",
                "fixed_count" => "; write `fixed = ...`",
                "tag" => "; write `tags(\"...\")`",
                "sequential" => "; write `order = sequential`",
                _ => "",
            };
            format!("{place} has no `{key}`{hint}; it takes {}", list_of(known))
        }
    };
    mistakes.at_span(entry.span(), message);
}

/// `a`, `b` and `c`.
pub(crate) fn list_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// A place in the author's code for code that is not the author's: messages point there, and no
/// lint asks for another style.
pub(crate) fn place(tokens: &impl Spanned) -> Span {
    Span::call_site().located_at(tokens.span())
}

/// A number as `f64`, whatever number it is in the source.
pub(crate) fn float(value: &Expr) -> TokenStream {
    quote_spanned!(place(value)=> (#value) as f64)
}

/// The SDK for generated code.
pub(crate) fn sdk() -> TokenStream {
    sdk_at(Span::call_site())
}

/// The SDK for generated code that the compiler may complain of.
pub(crate) fn sdk_at(span: Span) -> TokenStream {
    quote_spanned!(span=> ::swarm_sdk::__private)
}
