//! The methods of an impl and their marks: `#[task]`, `#[on_start]`, `#[on_stop]`.

use crate::options::{self, Entry, Mistakes};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Expr, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Meta, ReturnType};

const MARKS: [&str; 3] = ["task", "on_start", "on_stop"];
const TASK_KEYS: [&str; 4] = ["weight", "name", "tags", "set"];

/// The marked methods of an impl.
#[derive(Default)]
pub(crate) struct Methods {
    pub(crate) tasks: Vec<Task>,
    pub(crate) on_start: Option<Method>,
    pub(crate) on_stop: Option<Method>,
}

/// What generated code needs to know of a method.
pub(crate) struct Method {
    pub(crate) ident: Ident,
    pub(crate) is_async: bool,
    /// The tokens that a wrong return type is shown at.
    pub(crate) returns: TokenStream,
    /// The `#[cfg]`s, which must stand on every mention of the method.
    pub(crate) cfgs: Vec<TokenStream>,
}

/// A method marked `#[task]`.
pub(crate) struct Task {
    pub(crate) method: Method,
    pub(crate) weight: Option<Expr>,
    pub(crate) name: Option<Expr>,
    pub(crate) tags: Vec<Expr>,
    pub(crate) set: Option<Ident>,
}

impl Methods {
    /// Has any of them to be waited for?
    pub(crate) fn any_async(&self) -> bool {
        let hooks = self.on_start.iter().chain(&self.on_stop);
        let mut methods = self.tasks.iter().map(|task| &task.method).chain(hooks);
        methods.any(|method| method.is_async)
    }
}

/// A mark outside of an impl marked `#[tasks]`.
pub(crate) fn stray(mark: &str, item: &TokenStream) -> TokenStream {
    let message = format!(
        "`#[{mark}]` marks a method of an impl that is itself marked: put `#[tasks]` above `impl`"
    );
    quote!(#item ::core::compile_error!(#message);)
}

impl Methods {
    /// Takes the marks off the methods and notes what they say.
    pub(crate) fn take(item: &mut ItemImpl, mistakes: &mut Mistakes) -> Self {
        let mut methods = Self::default();
        for item in &mut item.items {
            if let ImplItem::Fn(function) = item {
                methods.take_from(function, mistakes);
            }
        }
        methods
    }

    fn take_from(&mut self, function: &mut ImplItemFn, mistakes: &mut Mistakes) {
        let attributes = std::mem::take(&mut function.attrs);
        let (marks, others): (Vec<_>, Vec<_>) =
            attributes.into_iter().partition(|attribute| mark_of(attribute).is_some());
        function.attrs = others;
        let Some(attribute) = marks.first() else {
            return;
        };
        if let Some(second) = marks.get(1) {
            mistakes.at(second, "a method has one mark; keep one of them");
        }
        let mark = mark_of(attribute).unwrap_or_default();
        if !shape_is_right(mark, function, mistakes) {
            return;
        }
        let method = Method::of(function);
        match mark {
            "on_start" => hook(&mut self.on_start, method, attribute, mistakes),
            "on_stop" => hook(&mut self.on_stop, method, attribute, mistakes),
            _ => self.tasks.push(Task::parse(method, attribute, mistakes)),
        }
    }
}

fn mark_of(attribute: &Attribute) -> Option<&'static str> {
    let last = attribute.path().segments.last()?;
    MARKS.into_iter().find(|mark| last.ident == mark)
}

fn hook(slot: &mut Option<Method>, method: Method, mark: &Attribute, mistakes: &mut Mistakes) {
    if !matches!(mark.meta, Meta::Path(_)) {
        mistakes.at(mark, "this mark takes no options");
    }
    if let Some(first) = slot {
        let message = format!("`{}` has this mark already; call one from the other", first.ident);
        mistakes.at(mark, message);
    } else {
        *slot = Some(method);
    }
}

/// Can the method be called with a user and nothing else?
fn shape_is_right(mark: &str, function: &ImplItemFn, mistakes: &mut Mistakes) -> bool {
    let signature = &function.sig;
    if let Some(keyword) = &signature.unsafety {
        mistakes.at(keyword, "a method that the host calls is not `unsafe`; drop the word");
        return false;
    }
    if !signature.generics.params.is_empty() {
        mistakes.at(&signature.generics, "a method that the host calls has no type parameters");
        return false;
    }
    let by_reference = matches!(
        signature.inputs.first(),
        Some(FnArg::Receiver(receiver))
            if receiver.reference.is_some() && receiver.colon_token.is_none()
    );
    if !by_reference {
        let message =
            format!("`#[{mark}]` needs a method of the user: `fn {}(&mut self)`", signature.ident);
        mistakes.at(&signature.ident, message);
        return false;
    }
    if let Some(argument) = signature.inputs.iter().nth(1) {
        let message = "the host has nothing to give here; keep what the method needs in a field";
        mistakes.at(argument, message);
        return false;
    }
    true
}

impl Method {
    fn of(function: &ImplItemFn) -> Self {
        let ident = function.sig.ident.clone();
        let returns = match &function.sig.output {
            ReturnType::Default => quote!(#ident),
            ReturnType::Type(_, ty) => quote!(#ty),
        };
        let is_cfg = |attribute: &&Attribute| attribute.path().is_ident("cfg");
        let cfgs = function.attrs.iter().filter(is_cfg).map(|cfg| quote!(#cfg)).collect();
        let is_async = function.sig.asyncness.is_some();
        Self { ident, is_async, returns, cfgs }
    }

    /// What a call of it has behind the parentheses.
    pub(crate) fn wait(&self) -> TokenStream {
        if self.is_async { quote!(.await) } else { TokenStream::new() }
    }

    /// The method's name for people.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

impl Task {
    fn parse(method: Method, mark: &Attribute, mistakes: &mut Mistakes) -> Self {
        let mut task = Self { method, weight: None, name: None, tags: Vec::new(), set: None };
        let options = match &mark.meta {
            Meta::Path(_) => TokenStream::new(),
            Meta::List(list) => list.tokens.clone(),
            Meta::NameValue(pair) => {
                mistakes.at(pair, "write `#[task(weight = 3)]`");
                TokenStream::new()
            }
        };
        for entry in options::parse(options, mistakes, &[]) {
            match (entry.key().map(ToString::to_string).as_deref(), entry) {
                (None, Entry::Bare(weight @ Expr::Lit(_))) => task.weight = Some(weight),
                (Some("weight"), entry) => task.weight = entry.value(mistakes),
                (Some("name"), entry) => task.name = entry.value(mistakes),
                (Some("tags"), entry) => task.tags = entry.list(mistakes),
                (Some("set"), entry) => {
                    let value = entry.value(mistakes);
                    task.set = value.and_then(|value| ident_of(&value, mistakes));
                }
                (_, entry) => options::unknown(&entry, "`#[task]`", &TASK_KEYS, mistakes),
            }
        }
        task
    }
}

/// The name that an expression is.
pub(crate) fn ident_of(value: &Expr, mistakes: &mut Mistakes) -> Option<Ident> {
    let ident = match value {
        Expr::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    };
    if ident.is_none() {
        mistakes.at(value, "this is a name, as in `set = cart`");
    }
    ident
}
