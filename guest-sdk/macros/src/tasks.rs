//! `#[tasks]`: the marked methods of an impl become the tasks of a user class.

use crate::methods::{Method, Methods, Task, ident_of};
use crate::options::{self, Entry, Mistakes, float, place, sdk, sdk_at};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, Ident, ItemImpl, Type};

const ROOT_KEYS: [&str; 2] = ["order", "set"];
const SET_KEYS: [&str; 3] = ["weight", "order", "tags"];

pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let Some(mut item) = parse_impl(item, &mut mistakes) else {
        let mistakes = mistakes.to_tokens();
        return quote!(#item #mistakes);
    };
    let methods = Methods::take(&mut item, &mut mistakes);
    let sets = Sets::parse(options, &mut mistakes);
    sets.check(&methods, &item.self_ty, &mut mistakes);
    let implementation = implementation(&item.self_ty, &methods, &sets);
    let mistakes = mistakes.to_tokens();
    quote!(#item #implementation #mistakes)
}

fn parse_impl(item: &TokenStream, mistakes: &mut Mistakes) -> Option<ItemImpl> {
    let Ok(parsed) = syn::parse2::<ItemImpl>(item.clone()) else {
        let message = "`#[tasks]` goes on the impl of a user class: `#[tasks] impl WebsiteUser {`";
        mistakes.at_span(Span::call_site(), message);
        return None;
    };
    if let Some((_, path, _)) = &parsed.trait_ {
        mistakes.at(path, "`#[tasks]` goes on the type's own impl, not on that of a trait");
        return None;
    }
    if !parsed.generics.params.is_empty() {
        mistakes.at(&parsed.generics, "a user class has no type parameters; name a concrete type");
        return None;
    }
    Some(parsed)
}

/// The order of the root, and the nested sets.
struct Sets {
    order: Order,
    nested: Vec<Nested>,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Weighted,
    Sequential,
}

/// `set(cart, weight = 2, order = sequential, tags("buy"))`.
struct Nested {
    name: Ident,
    weight: Option<Expr>,
    order: Order,
    tags: Vec<Expr>,
}

impl Sets {
    fn parse(options: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut sets = Self { order: Order::Weighted, nested: Vec::new() };
        for entry in options::parse(options, mistakes, &["set"]) {
            match (entry.key().map(ToString::to_string).as_deref(), entry) {
                (Some("order"), entry) => sets.order = parse_order(entry, mistakes),
                (Some("set"), Entry::List(key, list)) => {
                    sets.nested.extend(Nested::parse(&key, list, mistakes));
                }
                (_, entry) => options::unknown(&entry, "`#[tasks]`", &ROOT_KEYS, mistakes),
            }
        }
        sets
    }

    /// The index that the host knows a set by; the root is 0.
    fn index(&self, name: &Ident) -> Option<usize> {
        self.nested.iter().position(|set| set.name == *name).map(|at| at + 1)
    }

    fn index_of(&self, task: &Task) -> usize {
        // An unknown name is a mistake of its own; the root will do to go on with.
        task.set.as_ref().and_then(|name| self.index(name)).unwrap_or(0)
    }

    fn order(&self, index: usize) -> Order {
        index.checked_sub(1).and_then(|at| self.nested.get(at)).map_or(self.order, |set| set.order)
    }

    /// What each set needs and what nobody can mean.
    fn check(&self, methods: &Methods, class: &Type, mistakes: &mut Mistakes) {
        for task in &methods.tasks {
            if let Some(name) = task.set.as_ref().filter(|name| self.index(name).is_none()) {
                mistakes.at(name, format!("no such set; declare it: `#[tasks(set({name}))]`"));
            }
        }
        let weights = methods.tasks.iter().map(|task| (self.index_of(task), &task.weight));
        let nested = self.nested.iter().map(|set| (0, &set.weight));
        for (set, weight) in weights.chain(nested) {
            if let (Order::Sequential, Some(weight)) = (self.order(set), weight) {
                let message =
                    "a weight has no meaning in a sequential set: every task has its turn";
                mistakes.at(weight, message);
            }
        }
        for (at, set) in self.nested.iter().enumerate() {
            if self.nested.iter().take(at).any(|other| other.name == set.name) {
                mistakes.at(&set.name, "a set of this name is declared already");
            } else if !methods.tasks.iter().any(|task| self.index_of(task) == at + 1) {
                let name = &set.name;
                mistakes.at(name, format!("an empty set; put `#[task(set = {name})]` on a method"));
            }
        }
        if methods.tasks.is_empty() && self.nested.is_empty() {
            mistakes.at(class, "no tasks; put `#[task]` on a method that takes `&mut self`");
        }
    }
}

fn parse_order(entry: Entry, mistakes: &mut Mistakes) -> Order {
    let Some(value) = entry.value(mistakes) else {
        return Order::Weighted;
    };
    match &value {
        Expr::Path(path) if path.path.is_ident("weighted") => Order::Weighted,
        Expr::Path(path) if path.path.is_ident("sequential") => Order::Sequential,
        _ => {
            mistakes.at(value, "the orders are `weighted` and `sequential`");
            Order::Weighted
        }
    }
}

impl Nested {
    fn parse(key: &Ident, list: TokenStream, mistakes: &mut Mistakes) -> Option<Self> {
        let mut entries = options::parse(list, mistakes, &[]).into_iter();
        let Some(Entry::Bare(name)) = entries.next() else {
            mistakes.at(key, "a set begins with its name: `set(cart, weight = 2)`");
            return None;
        };
        let name = ident_of(&name, mistakes)?;
        let mut set = Self { name, weight: None, order: Order::Weighted, tags: Vec::new() };
        for entry in entries {
            match entry.key().map(ToString::to_string).as_deref() {
                Some("weight") => set.weight = entry.value(mistakes),
                Some("order") => set.order = parse_order(entry, mistakes),
                Some("tags") => set.tags = entry.list(mistakes),
                _ => options::unknown(&entry, "a set", &SET_KEYS, mistakes),
            }
        }
        Some(set)
    }
}

fn implementation(class: &Type, methods: &Methods, sets: &Sets) -> TokenStream {
    let sdk = sdk();
    let table = table(class, methods, sets);
    let runs = methods.tasks.iter().zip(0_u32..).map(|(task, id)| {
        let Method { ident, returns, cfgs, .. } = &task.method;
        let wait = task.method.wait();
        let at = place(returns);
        let sdk = sdk_at(at);
        let run = quote_spanned!(at=> #sdk::Outcome::outcome(self.#ident()#wait));
        quote!(#(#cfgs)* #id => #run,)
    });
    let start = methods.on_start.as_ref().map(|method| {
        let name = method.name();
        let call = call_hook(method);
        let cfgs = &method.cfgs;
        quote!(#(#cfgs)* #sdk::started(#name, #call)?;)
    });
    let stop = methods.on_stop.as_ref().map(|method| {
        let call = call_hook(method);
        let cfgs = &method.cfgs;
        quote!(#(#cfgs)* #call?;)
    });
    let work = if methods.any_async() { quote!(waiting) } else { quote!(plain) };
    let started = quote!(::core::result::Result<(), ::std::string::String>);
    let ran = quote!(::core::result::Result<#sdk::Then, ::std::string::String>);
    let stopped = quote!(::core::result::Result<(), #sdk::TaskError>);
    quote! {
        const _: () = {
            const SETS: &[#sdk::TaskSet] = #table;

            impl #sdk::Tasks for #class {
                const SETS: &'static [#sdk::TaskSet] = SETS;

                fn start(&mut self) -> #sdk::Work!(#started) {
                    #sdk::work!(#work {
                        #start
                        ::core::result::Result::<(), ::std::string::String>::Ok(())
                    })
                }

                fn run(&mut self, task: u32) -> #sdk::Work!(#ran) {
                    #sdk::work!(#work {
                        match task {
                            #(#runs)*
                            _ => #sdk::no_such_task(),
                        }
                    })
                }

                fn stop(&mut self) -> #sdk::Work!(#stopped) {
                    #sdk::work!(#work {
                        #stop
                        ::core::result::Result::<(), #sdk::TaskError>::Ok(())
                    })
                }
            }
        };
    }
}

fn call_hook(method: &Method) -> TokenStream {
    let Method { ident, returns, .. } = method;
    let wait = method.wait();
    let at = place(returns);
    let sdk = sdk_at(at);
    quote_spanned!(at=> #sdk::Hook::hook(self.#ident()#wait))
}

/// The table of sets. The ways into nested sets are the last tasks of the root.
fn table(class: &Type, methods: &Methods, sets: &Sets) -> TokenStream {
    let root_name = quote!(::core::stringify!(#class));
    let mut rows: Vec<(TokenStream, Order, Vec<TokenStream>)> =
        vec![(root_name, sets.order, Vec::new())];
    for set in &sets.nested {
        let name = set.name.to_string();
        rows.push((quote!(#name), set.order, Vec::new()));
    }
    let mut ids = 0_u32..;
    let run = quote!(Run);
    for (task, id) in methods.tasks.iter().zip(ids.by_ref()) {
        let default = task.method.name();
        let name = task.name.as_ref().map_or_else(|| quote!(#default), |name| quote!(#name));
        let row = row(id, &name, task.weight.as_ref(), &task.tags, &run);
        let cfgs = &task.method.cfgs;
        rows[sets.index_of(task)].2.push(quote!(#(#cfgs)* #row));
    }
    for ((set, id), index) in sets.nested.iter().zip(ids).zip(1_u32..) {
        let name = set.name.to_string();
        let enter = quote!(Enter(#index));
        rows[0].2.push(row(id, &quote!(#name), set.weight.as_ref(), &set.tags, &enter));
    }
    let sdk = sdk();
    let rows = rows.into_iter().map(|(name, order, tasks)| {
        let order = match order {
            Order::Weighted => quote!(Weighted),
            Order::Sequential => quote!(Sequential),
        };
        quote!(#sdk::TaskSet { name: #name, order: #sdk::Order::#order, tasks: &[#(#tasks),*] })
    });
    quote!(&[#(#rows),*])
}

fn row(
    id: u32,
    name: &TokenStream,
    weight: Option<&Expr>,
    tags: &[Expr],
    action: &TokenStream,
) -> TokenStream {
    let sdk = sdk();
    let weight = weight.map_or_else(
        || quote!(1.0),
        |weight| {
            let number = float(weight);
            let at = place(weight);
            let sdk = sdk_at(at);
            quote_spanned!(at=> #sdk::checked_weight(#number))
        },
    );
    quote! {
        #sdk::Task {
            id: #id,
            name: #name,
            weight: #weight,
            tags: &[#(#tags),*],
            action: #sdk::Action::#action,
        }
    }
}
