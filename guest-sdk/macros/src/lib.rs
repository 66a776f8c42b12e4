//! The macros of `swarm-sdk`, where they are documented.
//!
//! # Layout
//! - `options`: what stands in the brackets of an attribute.
//! - `user`: `#[user]` on a struct.
//! - `methods`: the methods of an impl and their marks.
//! - `tasks`: `#[tasks]` on an impl, from the marked methods to the table of tasks.
//!
//! Every macro puts out the author's code and whatever else still makes sense beside its error
//! messages, so that one mistake gives one message and all mistakes are shown at once.

#![forbid(unsafe_code)]

mod methods;
mod options;
mod tasks;
mod user;

use proc_macro::TokenStream;

/// Makes a struct a class of virtual users: `#[user(wait = between(1, 5), weight = 3)]`.
#[proc_macro_attribute]
pub fn user(options: TokenStream, item: TokenStream) -> TokenStream {
    user::expand(options.into(), &item.into()).into()
}

/// Makes the marked methods of an impl the tasks of a user class.
#[proc_macro_attribute]
pub fn tasks(options: TokenStream, item: TokenStream) -> TokenStream {
    tasks::expand(options.into(), &item.into()).into()
}

/// A task of a user class: `#[task(weight = 3, name = "index", tags("read"))]`.
#[proc_macro_attribute]
pub fn task(_: TokenStream, item: TokenStream) -> TokenStream {
    methods::stray("task", &item.into()).into()
}

/// The method that runs once, before a user's first task.
#[proc_macro_attribute]
pub fn on_start(_: TokenStream, item: TokenStream) -> TokenStream {
    methods::stray("on_start", &item.into()).into()
}

/// The method that runs once, after a user's last task.
#[proc_macro_attribute]
pub fn on_stop(_: TokenStream, item: TokenStream) -> TokenStream {
    methods::stray("on_stop", &item.into()).into()
}
