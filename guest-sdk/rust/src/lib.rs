//! Write load scenarios in Rust.
//!
//! A type for each class of users, a method for each task, one line that makes a scenario of them:
//!
//! ```
//! use swarm_sdk::prelude::*;
//!
//! /// Reads two pages, one three times as often, and rests 1 to 5 seconds in between.
//! #[user(wait = between(1, 5))]
//! struct WebsiteUser {
//!     http: Http,
//!     pages_read: u32,
//! }
//!
//! #[tasks]
//! impl WebsiteUser {
//!     #[on_start]
//!     fn log_in(&mut self) -> TaskResult {
//!         self.http.post("/login").form(&[("username", "ann"), ("password", "swarm")]).send()?;
//!         Ok(())
//!     }
//!
//!     #[task(weight = 3, tags("read"))]
//!     fn index(&mut self) -> TaskResult {
//!         self.http.get("/")?;
//!         self.pages_read += 1;
//!         Ok(())
//!     }
//!
//!     #[task]
//!     fn about(&mut self) -> TaskResult {
//!         self.http.get("/about")?.expect_text("About us")?;
//!         Ok(())
//!     }
//! }
//!
//! swarm_sdk::scenario!(WebsiteUser);
//! ```
//!
//! # User classes
//! `#[user(...)]` on a struct takes, all optional:
//!
//! | key | meaning |
//! | --- | --- |
//! | `wait = ...` | rest between two tasks, see below. Without it: `none` |
//! | `weight = 3` | share of the users. Without it: 1 |
//! | `fixed = 2` | exactly so many users, in place of a weight |
//! | `host = "http://..."` | the class's own host, which the operator must allow |
//!
//! The waits are `none`, `constant(s)`, `between(min, max)`, `pacing(s)` from start to start of two
//! tasks, `throughput(n)` tasks a second and user, and `exponential(mean)`. Times are in seconds;
//! fractions are allowed.
//!
//! A field is [`Http`], [`User`], [`Random`], or anything that implements `Default`. Every virtual
//! user is a value of the type: its fields are its own.
//!
//! # Tasks
//! `#[tasks]` on an impl block collects the methods marked `#[task]`; `#[tasks(order =
//! sequential)]` runs them in the order of the source. A task is `fn(&mut self)` and may return
//! `()`, [`Then`], [`TaskResult`], or a `Result` of `()` or `Then` with any error that can be
//! displayed. `#[task(...)]` takes `weight = 3` (or just `3`), `name = "..."`, `tags("a", "b")`
//! and `set = name`. One method may be `#[on_start]`, one `#[on_stop]`.
//!
//! Nested sets are declared at the top: `#[tasks(set(cart, weight = 2, order = sequential))]` is
//! a task of the class that enters the set, and `#[task(set = cart)]` puts a task into it. The
//! user stays in the set until a task returns [`Then::Leave`].
//!
//! With `async` tasks, see [`asynchronous`], one source runs in both worlds of the contract.
//!
//! # Failures
//! - A request without an answer is an [`Error`] and in the statistics already; `?` ends the task
//!   quietly.
//! - An answer with an error status is an `Ok` and counts as failed, unless the scenario says
//!   otherwise: [`Response::succeed`], [`Response::fail`], [`Response::expect_status`],
//!   [`Response::expect_text`].
//! - Any other error that a task returns counts as an exception, with its text; `?` takes errors
//!   of any kind, and texts.
//! - An error in `#[on_start]` means that the user can't start.
//! - A panic costs the user (or the instance, when users share one). Its message is in the log.
//!
//! # Layout
//! - [`http`](Http): requests; `response`: what came back; `form` encodes forms.
//! - [`asynchronous`]: the same for `async` tasks; `work`: what calls of the host give.
//! - [`log`], [`clock`], [`args`], [`metrics`]: the rest of what the host offers.
//! - `plan`: the plan as constants, checked while the scenario compiles.
//! - `runtime`: the users of an instance and the calls of the host.
//! - `outcome`, `error`: what methods return.
//! - `bindings`: generated from `wit/scenario.wit`; the only unsafe code.

// The macros name the SDK from outside; its own tests use them too.
#[cfg(test)]
extern crate self as swarm_sdk;

/// A fifth of the size of a small scenario less than with the allocator of std.
#[cfg(target_family = "wasm")]
#[global_allocator]
static HEAP: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

pub mod args;
pub mod asynchronous;
pub mod clock;
pub mod log;
pub mod metrics;

mod error;
mod form;
#[cfg(not(feature = "dense"))]
mod http;
mod outcome;
mod plan;
mod random;
mod response;
mod runtime;
mod work;

#[doc(hidden)]
#[rustfmt::skip]
#[cfg_attr(feature = "dense", path = "bindings_dense.rs")]
#[allow(
    unsafe_code, missing_docs, unreachable_pub, clippy::pedantic, clippy::restriction,
    clippy::all, reason = "generated: the canonical ABI is raw memory"
)]
pub mod bindings;

pub use bindings::swarm::scenario::plan::Then;
pub use error::{Error, ErrorKind, TaskError, TaskResult};
#[cfg(not(feature = "dense"))]
pub use http::{Http, Request};
pub use random::Random;
pub use response::Response;
pub use runtime::User;
pub use swarm_sdk_macros::{on_start, on_stop, task, tasks, user};

/// What a scenario needs: `use swarm_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{Error, ErrorKind, Random, Response, TaskResult, Then, User};
    #[cfg(not(feature = "dense"))]
    pub use crate::{Http, Request};
    pub use crate::{args, clock, log, metrics};
    pub use crate::{on_start, on_stop, task, tasks, user};
    pub use std::time::Duration;
}

/// For the macros. Not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::{
        Client, Guest, User, export, swarm::scenario::plan::Scenario as Plan,
    };
    pub use crate::outcome::{Hook, Outcome};
    pub use crate::plan::{
        Action, ClassPlan, Order, Population, Task, TaskSet, Wait, checked_weight, wait,
    };
    pub use crate::runtime::{
        Class, FromSeat, Scenario, Seat, Tasks, UserClass, no_such_task, started,
    };
    #[cfg(not(feature = "dense"))]
    pub use crate::work::finish;
    pub use crate::{__Work as Work, __component as component, __work as work};
    pub use crate::{TaskError, Then};
}

/// Makes a scenario of user classes: `scenario!(WebsiteUser, Shopper)`.
///
/// Each class is a type with `#[user]` and `#[tasks]`. With `scenario!(WebsiteUser; sharing = 100)`
/// up to 100 users take turns in one instance: less memory, but a panic costs them all.
#[macro_export]
macro_rules! scenario {
    ($($class:ty),+ $(,)?) => {
        $crate::scenario!(@ [$($class),+] ::core::option::Option::None);
    };
    ($($class:ty),+ $(,)?; sharing = $users:expr $(,)?) => {
        $crate::scenario!(@ [$($class),+] ::core::option::Option::Some($users));
    };
    (@ [$($class:ty),+] $sharing:expr) => {
        const _: () = {
            use $crate::__private as sdk;

            // Outside of WebAssembly nothing calls it: a build for the desk, its tests, its lints.
            #[allow(dead_code, reason = "used where it is exported")]
            const SCENARIO: sdk::Scenario =
                sdk::Scenario::new(&[$(sdk::Class::of::<$class>()),+], $sharing);

            #[allow(dead_code, reason = "used where it is exported")]
            struct Component;

            sdk::component!(Component, SCENARIO);

            #[cfg(target_family = "wasm")]
            $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "write `scenario!(ClassA, ClassB)` or `scenario!(ClassA, ClassB; sharing = 100)`"
        );
    };
}

/// The exports of a scenario's component.
#[cfg(not(feature = "dense"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __component {
    ($component:ident, $scenario:ident) => {
        impl sdk::Guest for $component {
            fn describe() -> ::core::result::Result<sdk::Plan, ::std::string::String> {
                ::core::result::Result::Ok($scenario.describe())
            }

            fn start(
                user: sdk::User,
                client: sdk::Client,
            ) -> ::core::result::Result<(), ::std::string::String> {
                $scenario.start(user, client)
            }

            fn run(
                user: u32,
                task: u32,
            ) -> ::core::result::Result<$crate::Then, ::std::string::String> {
                $scenario.run(user, task)
            }

            fn stop(user: u32) {
                $scenario.stop(user);
            }
        }
    };
}

/// The exports of a scenario's component.
#[cfg(feature = "dense")]
#[doc(hidden)]
#[macro_export]
macro_rules! __component {
    ($component:ident, $scenario:ident) => {
        impl sdk::Guest for $component {
            fn describe() -> ::core::result::Result<sdk::Plan, ::std::string::String> {
                ::core::result::Result::Ok($scenario.describe())
            }

            async fn start(
                user: sdk::User,
                client: sdk::Client,
            ) -> ::core::result::Result<(), ::std::string::String> {
                $scenario.start(user, client).await
            }

            async fn run(
                user: u32,
                task: u32,
            ) -> ::core::result::Result<$crate::Then, ::std::string::String> {
                $scenario.run(user, task).await
            }

            async fn stop(user: u32) {
                $scenario.stop(user).await;
            }
        }
    };
}
