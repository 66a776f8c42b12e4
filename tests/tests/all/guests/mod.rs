//! Scenarios made for one test each: a plan, and bodies of the four exports as WebAssembly text.
//!
//! The bodies are put into `template.wat`, whose functions they may call, and the module is
//! wrapped as a component of the world in `wit/`.

mod layout;

use std::fmt::Write;
use std::path::PathBuf;

use swarm_core::plan::{
    Action, Order, Population, Scenario, Sharing, Task, TaskSet, UserClass, Wait,
};
use swarm_tests::Swarm;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const TEMPLATE: &str = include_str!("template.wat");
const WIT: &str = include_str!("../../../../wit/scenario.wit");
/// The world of guests that import more than `scenario` has.
const WASI_WIT: &str = include_str!("wasi.wit");

/// The version in [`WIT`] and [`TEMPLATE`].
const VERSION: &str = "@0.1.0";

/// Where the plan and the texts lie.
const IMAGE: usize = 0x100;
/// Bytes of a page of memory.
const PAGE: usize = 0x1_0000;

/// A scenario for one test. Each task does nothing unless told otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    plan: Scenario,
    texts: Vec<(String, String)>,
    imports: String,
    describe: String,
    start: String,
    run: String,
    stop: String,
    pages: usize,
    version: &'static str,
}

impl Guest {
    /// Of these classes, an instance for each user.
    pub(crate) fn new(classes: Vec<UserClass>) -> Self {
        Self::planned(Scenario { classes, sharing: Sharing::PerUser, default_hosts: false })
    }

    /// Of this plan, sound or not.
    pub(crate) fn planned(plan: Scenario) -> Self {
        let [imports, describe, start, run, stop] = [const { String::new() }; 5];
        let (texts, version) = (Vec::new(), VERSION);
        Self { plan, texts, imports, describe, start, run, stop, pages: 1, version }
    }

    /// One class, whose users GET these URLs in turn, over and over, with a short rest.
    pub(crate) fn visiting(urls: &[&str]) -> Self {
        let tasks = urls.iter().zip(0..).map(|(url, id)| task(id, url)).collect();
        let mut guest = Self::new(vec![class("Visitor", Order::Sequential, tasks)]);
        for (index, url) in urls.iter().enumerate() {
            let name = format!("url_{index}");
            guest = guest.text(&name, url);
            let is_it = format!("(i32.eq (local.get $task) (i32.const {index}))");
            guest.run += &format!("(if {is_it} (then {}))", visit(&name));
        }
        guest
    }

    /// One class, whose users GET /page/1, /page/2 and so on, up to below `names`, over and over.
    pub(crate) fn visiting_many(names: u32) -> Self {
        let mut guest = Self::new(vec![class("Visitor", Order::Weighted, vec![task(0, "visit")])]);
        guest.run = format!("(local.set $left (i32.rem_u (global.get $runs) (i32.const {names})))");
        let digit = |power: u32| {
            format!("(i32.rem_u (i32.div_u (local.get $left) (i32.const {power})) (i32.const 10))")
        };
        // With one digit, with two, and so on.
        for digits in 1..=4_u32 {
            let (from, to) = (10_u32.pow(digits - 1), 10_u32.pow(digits));
            let is_one = format!(
                "(i32.and (i32.ge_u (local.get $left) (i32.const {from}))
                          (i32.lt_u (local.get $left) (i32.const {to})))"
            );
            let mut body = String::new();
            for (place, power) in (6..).zip((0..digits).rev().map(|digit| 10_u32.pow(digit))) {
                let at = format!("(i32.add (global.get $page) (i32.const {place}))");
                let digit = digit(power);
                body += &format!("(i32.store8 {at} (i32.add (i32.const 48) {digit}))");
            }
            let length = 6 + digits;
            body += &format!("(call $visit (global.get $page) (i32.const {length}))");
            guest.run += &format!("(if {is_one} (then {body}))");
        }
        guest.text("page", "/page/0000")
    }

    /// 50 users that compute for longer than they rest: on one load thread they are late.
    pub(crate) fn thinking() -> Self {
        let spin = "(local.set $left (i32.const 20000000))
            (loop $again
              (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $again (local.get $left)))";
        Self::new(vec![fixed("Thinker", 50, 0)]).run(spin)
    }

    /// So many users take turns in an instance.
    pub(crate) fn shared(mut self, users: u32) -> Self {
        self.plan.sharing = Sharing::Shared(users);
        self
    }

    /// A class of its plan, to be changed.
    pub(crate) fn class(&mut self, index: usize) -> &mut UserClass {
        &mut self.plan.classes[index]
    }

    /// Makes a text known to the bodies: its address as `$NAME`, its length as `$NAME_len`.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.texts.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Imports beside those of the template, as WebAssembly text: of `wasi.wit`, and of the
    /// contract.
    pub(crate) fn imports(self, imports: &str) -> Self {
        Self { imports: imports.to_owned(), ..self }
    }

    /// What `describe` does before it returns the plan.
    pub(crate) fn describe(self, body: &str) -> Self {
        Self { describe: body.to_owned(), ..self }
    }

    /// What `start` does when it has kept the client.
    pub(crate) fn start(self, body: &str) -> Self {
        Self { start: body.to_owned(), ..self }
    }

    /// What `run` does; `$task` is the task's id, `$runs` counts from 1, `$left` is for loops.
    pub(crate) fn run(self, body: &str) -> Self {
        Self { run: body.to_owned(), ..self }
    }

    /// What `run` does besides, at its end.
    pub(crate) fn and_run(mut self, body: &str) -> Self {
        self.run += body;
        self
    }

    /// What `stop` does before it drops the client.
    pub(crate) fn stop(self, body: &str) -> Self {
        Self { stop: body.to_owned(), ..self }
    }

    /// Pages of memory beside those that plan and texts need.
    pub(crate) fn pages(self, pages: usize) -> Self {
        Self { pages, ..self }
    }

    /// Made for another version of the contract, such as `@0.9.0`.
    pub(crate) fn version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    /// Writes it to the test's folder.
    #[track_caller]
    pub(crate) fn write(&self, swarm: &Swarm, name: &str) -> PathBuf {
        swarm.file(&format!("{name}.wasm"), &self.component())
    }

    /// Its bytes.
    #[track_caller]
    pub(crate) fn component(&self) -> Vec<u8> {
        component(&self.core(), self.version, !self.imports.is_empty())
    }

    /// The bytes of its core module.
    #[track_caller]
    pub(crate) fn core(&self) -> Vec<u8> {
        let text = self.module_text().replace(VERSION, self.version);
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn module_text(&self) -> String {
        let mut image = layout::Image::new(IMAGE);
        let described = image.scenario(&self.plan);
        let mut globals = String::new();
        for (name, text) in &self.texts {
            let [at, len] = image.text(text);
            writeln!(globals, "  (global ${name} i32 (i32.const {at}))")
                .and_then(|()| writeln!(globals, "  (global ${name}_len i32 (i32.const {len}))"))
                .expect("writing to a string never fails");
        }
        let data = data(0, &described) + &data(IMAGE, image.bytes());
        let heap = image.end().next_multiple_of(8);
        let pages = (heap.div_ceil(PAGE) + self.pages).to_string();
        let heap = heap.to_string();
        let places = [
            ("{pages}", pages.as_str()),
            ("{heap}", &heap),
            ("{imports}", &self.imports),
            ("{globals}", &globals),
            ("{data}", &data),
            ("{describe}", &self.describe),
            ("{start}", &self.start),
            ("{run}", &self.run),
            ("{stop}", &self.stop),
        ];
        places.iter().fold(TEMPLATE.to_owned(), |text, (place, what)| text.replace(place, what))
    }
}

/// GETs the URL that is a text of the guest's.
pub(crate) fn visit(name: &str) -> String {
    format!("(call $visit (global.get ${name}) (global.get ${name}_len))")
}

/// Sends a request; method and URL are texts of the guest's.
pub(crate) fn send(method: &str, url: &str) -> String {
    let text = |name: &str| format!("(global.get ${name}) (global.get ${name}_len)");
    format!("(call $send {} {})", text(method), text(url))
}

/// Ends `start` or `run` with a text of the guest's as error.
pub(crate) fn error(name: &str) -> String {
    format!("(return (call $error (global.get ${name}) (global.get ${name}_len)))")
}

/// A class with one set and a rest of 10 ms.
pub(crate) fn class(name: &str, order: Order, tasks: Vec<Task>) -> UserClass {
    UserClass {
        name: name.to_owned(),
        population: Population::Weight(1.0),
        host: None,
        wait: Wait::Constant(10),
        sets: vec![TaskSet { name: "root".to_owned(), order, tasks }],
    }
}

/// A class with one task, whose id is given to `run`, and so many users.
pub(crate) fn fixed(name: &str, users: u32, id: u32) -> UserClass {
    let population = Population::Fixed(users);
    UserClass { population, ..class(name, Order::Weighted, vec![task(id, "work")]) }
}

/// A task that runs.
pub(crate) fn task(id: u32, name: &str) -> Task {
    let (name, tags) = (name.to_owned(), Vec::new());
    Task { id, name, weight: 1.0, tags, action: Action::Run }
}

/// A data segment.
fn data(at: usize, bytes: &[u8]) -> String {
    let mut text = format!("  (data (i32.const {at}) \"");
    for byte in bytes {
        write!(text, "\\{byte:02x}").expect("writing to a string never fails");
    }
    text + "\")\n"
}

/// Wraps a core module as a component of the world `scenario`, or of the one in `wasi.wit`.
#[track_caller]
fn component(module: &[u8], version: &str, with_wasi: bool) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let mut package = resolve.push_source("scenario.wit", &WIT.replace(VERSION, version));
    let mut world = "scenario";
    if with_wasi {
        package = package.and_then(|_| resolve.push_source("wasi.wit", WASI_WIT));
        world = "with-wasi";
    }
    let world = package.and_then(|package| resolve.select_world(&[package], Some(world)));
    let world = world.expect("the contract is sound");
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the module can carry its world");
    let mut encoder = ComponentEncoder::default();
    let component = encoder.module(&module).and_then(ComponentEncoder::encode);
    component.unwrap_or_else(|error| panic!("the template does not fit the contract: {error:#}"))
}
