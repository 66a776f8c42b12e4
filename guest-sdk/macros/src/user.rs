//! `#[user]`: a struct becomes a class of virtual users.

use crate::options::{self, Mistakes, float, list_of, place, sdk, sdk_at};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprCall, Ident, ItemStruct};

const KEYS: [&str; 4] = ["wait", "weight", "fixed", "host"];

/// The waits and how each is written.
const WAITS: [(&str, &str); 6] = [
    ("none", "none"),
    ("constant", "constant(seconds)"),
    ("between", "between(min, max)"),
    ("pacing", "pacing(seconds)"),
    ("throughput", "throughput(tasks a second)"),
    ("exponential", "exponential(mean)"),
];

pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let Ok(item) = syn::parse2::<ItemStruct>(item.clone()) else {
        mistakes.at_span(Span::call_site(), "`#[user]` goes on a struct: the state of one user");
        let mistakes = mistakes.to_tokens();
        return quote!(#item #mistakes);
    };
    if !item.generics.params.is_empty() {
        mistakes.at(
            &item.generics,
            "a user class has no type parameters: the host makes its users; name a concrete type",
        );
        let mistakes = mistakes.to_tokens();
        return quote!(#item #mistakes);
    }
    let class = Class::parse(options, &mut mistakes);
    let implementation = class.implementation(&item);
    let mistakes = mistakes.to_tokens();
    quote!(#item #implementation #mistakes)
}

/// The options of `#[user]` as the constants that they become.
struct Class {
    wait: TokenStream,
    population: TokenStream,
    host: TokenStream,
}

impl Class {
    fn parse(options: TokenStream, mistakes: &mut Mistakes) -> Self {
        let sdk = sdk();
        let mut wait = quote!(#sdk::wait::none());
        let mut population: Option<TokenStream> = None;
        let mut host = quote!(::core::option::Option::None);
        for entry in options::parse(options, mistakes, &[]) {
            let span = entry.span();
            match entry.key().map(ToString::to_string).as_deref() {
                Some("wait") => {
                    let value = entry.value(mistakes);
                    wait = value.and_then(|value| parse_wait(&value, mistakes)).unwrap_or(wait);
                }
                Some("weight" | "fixed") if population.is_some() => {
                    mistakes.at_span(span, "a class has a `weight` or is `fixed`; keep one");
                }
                Some("weight") => {
                    population = entry.value(mistakes).map(|weight| {
                        let (at, number) = (place(&weight), float(&weight));
                        let sdk = sdk_at(at);
                        quote_spanned!(at=> #sdk::Population::weight(#number))
                    });
                }
                Some("fixed") => {
                    population = entry.value(mistakes).map(|users| {
                        let at = place(&users);
                        let sdk = sdk_at(at);
                        quote_spanned!(at=> #sdk::Population::fixed(#users))
                    });
                }
                Some("host") => {
                    if let Some(value) = entry.value(mistakes) {
                        host = quote!(::core::option::Option::Some(#value));
                    }
                }
                _ => options::unknown(&entry, "`#[user]`", &KEYS, mistakes),
            }
        }
        let population = population.unwrap_or_else(|| quote!(#sdk::Population::weight(1.0)));
        Self { wait, population, host }
    }

    fn implementation(&self, item: &ItemStruct) -> TokenStream {
        let sdk = sdk();
        let Self { wait, population, host } = self;
        let class = &item.ident;
        let name = class.unraw().to_string();
        let members = item.fields.members();
        let values = item.fields.iter().map(|field| {
            let ty = &field.ty;
            quote_spanned!(ty.span()=> <#ty as #sdk::FromSeat>::from_seat(seat))
        });
        quote! {
            const _: () = {
                // Constants of their own: these are evaluated even in a library without a
                // scenario, and an error names the option.
                const WAIT: #sdk::Wait = #wait;
                const POPULATION: #sdk::Population = #population;

                impl #sdk::UserClass for #class {
                    const PLAN: #sdk::ClassPlan = #sdk::ClassPlan {
                        name: #name,
                        population: POPULATION,
                        host: #host,
                        wait: WAIT,
                    };

                    fn create(seat: &#sdk::Seat) -> Self {
                        let _ = seat;
                        Self { #(#members: #values),* }
                    }
                }
            };
        }
    }
}

/// `between(1, 5)` as a call of the constructor, its numbers as floats.
fn parse_wait(value: &Expr, mistakes: &mut Mistakes) -> Option<TokenStream> {
    let (name, arguments) = match value {
        Expr::Path(path) => (path.path.get_ident().cloned(), Vec::new()),
        Expr::Call(ExprCall { func, args, .. }) => match &**func {
            Expr::Path(path) => (path.path.get_ident().cloned(), args.iter().collect()),
            _ => (None, Vec::new()),
        },
        Expr::Lit(_) => {
            let number = quote!(#value);
            let message = format!("a wait has a kind: `constant({number})` is always {number} s");
            mistakes.at(value, message);
            return None;
        }
        _ => (None, Vec::new()),
    };
    let known = WAITS.iter().find(|(wait, _)| name.as_ref().is_some_and(|name| name == wait));
    let Some(&(constructor, form)) = known else {
        let forms: Vec<&str> = WAITS.iter().map(|&(_, form)| form).collect();
        mistakes.at(value, format!("not a wait; the waits are {}", list_of(&forms)));
        return None;
    };
    let wanted = if form == "none" { 0 } else { form.matches(',').count() + 1 };
    if arguments.len() != wanted {
        mistakes.at(value, format!("write `{form}`"));
        return None;
    }
    let at = place(value);
    let sdk = sdk_at(at);
    let numbers = arguments.into_iter().map(float);
    let constructor = Ident::new(constructor, at);
    Some(quote_spanned!(at=> #sdk::wait::#constructor(#(#numbers),*)))
}
