//! `swarm check`: is it a scenario, and what does it consist of?

use std::fmt::Write;

use serde_json::json;
use swarm_core::plan::{Action, Order, Population, Sharing, TaskSet, UserClass, Wait};
use swarm_guest::Backend;
use swarm_guest::module::digest_text;

use crate::cache::CacheFolder;
use crate::cli::CheckArgs;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::scenario::{self, Loaded, Source};
use crate::terminal::Terminal;

pub(crate) fn run(args: &CheckArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let cache = CacheFolder::find();
    let runtime = scenario::runtime(&cache, None, args.component_layer)?;
    let source = Source::read(&runtime, Some(&args.scenario))?.with_environment(&args.env)?;
    let loaded = scenario::load(source, &runtime, terminal, None, None)?;
    let backend = loaded.module.backend();
    let text = if args.json {
        let plan = json!({
            "scenario": loaded.name,
            "size_bytes": loaded.module.size_bytes(),
            "digest": digest_text(&loaded.module.digest()),
            "imports": loaded.module.imports(),
            "users": if loaded.module.is_dense() { "dense" } else { "isolated" },
            "backend": backend.name(),
            "backend_reason": backend.obstacle().map(ToString::to_string),
            "plan": loaded.plan,
        });
        format!("{plan:#}\n")
    } else {
        text(&loaded).expect("writing to a string never fails")
    };
    // Or what has been shown meanwhile would be cleared over it.
    terminal.finish();
    output::answer(&text)?;
    Ok(Exit::Success)
}

fn text(loaded: &Loaded) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let module = &loaded.module;
    writeln!(out, "{} is a scenario", loaded.name)?;
    writeln!(out, "  size     {} bytes", module.size_bytes())?;
    writeln!(out, "  digest   sha256:{}", digest_text(&module.digest()))?;
    writeln!(out, "  users    {}", users(loaded))?;
    match module.backend() {
        Backend::CoreModule => writeln!(out, "  backend  core module, the fast one")?,
        Backend::Component(obstacle) => {
            writeln!(out, "  backend  component layer, the slower one, because {obstacle}")?;
        }
    }
    writeln!(out, "  imports  {}", module.imports().join("\n           "))?;
    for class in &loaded.plan.classes {
        describe_class(&mut out, class)?;
    }
    Ok(out)
}

/// How its users are spread over instances.
fn users(loaded: &Loaded) -> String {
    match loaded.plan.sharing {
        _ if loaded.module.is_dense() => {
            "dense: all users of a load thread side by side in one instance".to_owned()
        }
        Sharing::PerUser => "isolated: one instance for each user".to_owned(),
        Sharing::Shared(users) => format!("shared: up to {users} users take turns in one instance"),
    }
}

fn describe_class(out: &mut String, class: &UserClass) -> std::fmt::Result {
    let population = match class.population {
        Population::Weight(weight) => format!("weight {weight}"),
        Population::Fixed(users) => format!("fixed count {users}"),
    };
    writeln!(out, "class {}: {population}, wait {}", class.name, wait(class.wait))?;
    if let Some(host) = &class.host {
        writeln!(out, "  host {host}")?;
    }
    for (index, set) in class.sets.iter().enumerate() {
        let order = match &set.order {
            Order::Weighted => "weighted",
            Order::Sequential => "sequential",
            Order::Markov(_) => "Markov chain",
        };
        let root = if index == 0 { ", root" } else { "" };
        writeln!(out, "  set {}: {order}{root}", set.name)?;
        describe_tasks(out, class, set)?;
    }
    Ok(())
}

fn describe_tasks(out: &mut String, class: &UserClass, set: &TaskSet) -> std::fmt::Result {
    let sum: f64 = set.tasks.iter().map(|task| task.weight).sum();
    for task in &set.tasks {
        let what = match task.action {
            Action::Run => format!("task {}", task.id),
            Action::Enter(set) => {
                let name = class.sets.get(set as usize).map_or("?", |set| &set.name);
                format!("enters set {name}")
            }
        };
        write!(out, "    {}: {what}, weight {}", task.name, task.weight)?;
        if set.order == Order::Weighted && sum > 0.0 {
            write!(out, " ({:.1} %)", task.weight / sum * 100.0)?;
        }
        if !task.tags.is_empty() {
            write!(out, ", tags {}", task.tags.join(", "))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn wait(wait: Wait) -> String {
    match wait {
        Wait::None => "none".to_owned(),
        Wait::Constant(ms) => format!("constant {ms} ms"),
        Wait::Between { min_ms, max_ms } => format!("between {min_ms} and {max_ms} ms"),
        Wait::Pacing(ms) => format!("pacing {ms} ms"),
        Wait::Throughput(tasks) => format!("throughput {tasks} tasks a second and user"),
        Wait::Exponential(ms) => format!("exponential, mean {ms} ms"),
        Wait::Custom => "custom".to_owned(),
    }
}
