//! `swarm master`: coordinates workers.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use swarm_core::limits::shown;
use swarm_core::message::Settings;
use swarm_core::validate::unknown_tags;
use swarm_guest::test;
use swarm_node::journal::Journal;
use swarm_node::master::{Master, MasterConfig, StartError, Workers};

use crate::cache::CacheFolder;
use crate::cli::{MasterArgs, TestArgs};
use crate::exit::{Exit, Failure};
use crate::scenario::{self, Loaded, Source};
use crate::secure;
use crate::session::{self, Expected, Front, Session, raise_file_limit};
use crate::signals::Interrupts;
use crate::terminal::Terminal;

/// Most tags that a line of the log names.
const TAGS_NAMED_MAX: usize = 10;

pub(crate) fn run(
    args: &MasterArgs,
    terminal: &Terminal,
    mut interrupts: Interrupts,
) -> Result<Exit, Failure> {
    raise_file_limit();
    let cache = CacheFolder::find();
    let runtime = scenario::runtime(&cache, None, false)?;
    let source = Source::read(&runtime, Some(&args.scenario))?;
    let source = source.with_environment(&args.test.env)?;
    let entry = secure::entry(args)?;
    let mut front = Front::open(&args.test, &source)?;
    let loaded = front.load(source, &runtime, terminal, &mut interrupts)?;
    let config = config(loaded, &args.test)?;
    let (rebalance, module_bandwidth) = (!args.no_rebalance, args.module_bandwidth);
    let config = MasterConfig { rebalance, module_bandwidth, ..config };
    if args.expect_workers > 1 && !args.test.headless && !args.test.autostart {
        tracing::warn!("--expect-workers waits for nobody without --headless or --autostart");
    }
    let journal = args.state_dir.as_deref().map(|dir| open(dir, &config)).transpose()?;
    let (host, port) = (args.master_bind_host.as_str(), args.master_bind_port);
    let other = "choose another with --master-bind-host or --master-bind-port";
    let workers = session::bind(host, port, "workers", other)?;
    let (page, files) = front.ready(&args.test)?;
    let address = workers.local_addr().ok();
    if let Some(address) = address {
        tracing::info!("master listening on {address}");
    }
    let master = Master::start(config, Workers::Tcp(workers, entry), journal);
    let master = master.map_err(|error| {
        let exit = match &error {
            StartError::Memory(_) => Exit::State,
            StartError::Thread(_) => Exit::Internal,
        };
        Failure::new(exit, error)
    })?;
    let (workers, max_wait) = (args.expect_workers, args.expect_workers_max_wait);
    Session {
        master,
        worker: None,
        page,
        args: &args.test,
        expected: Expected { workers, max_wait, address },
        files,
        terminal,
        interrupts,
    }
    .conduct()
}

/// Takes the state directory.
fn open(dir: &Path, config: &MasterConfig) -> Result<Journal, Failure> {
    let journal = Journal::open(dir, &config.scenario, config.digest, &config.settings);
    journal.map_err(|error| Failure::new(Exit::State, error))
}

/// The master's settings, checked against the scenario as far as they are known before the start.
pub(super) fn config(loaded: Loaded, args: &TestArgs) -> Result<MasterConfig, Failure> {
    let settings = Settings {
        host: args.host.clone(),
        allow_hosts: args.allow_host.clone(),
        // A hasher's keys are random: enough to make two tests differ.
        seed: args.seed.unwrap_or_else(|| RandomState::new().hash_one(0)),
        args: args.args.clone(),
        tags: args.tags.clone(),
        exclude_tags: args.exclude_tags.clone(),
        stop_timeout_ms: millis(args.stop_timeout),
        request_timeout_ms: millis(args.request_timeout),
        insecure: args.insecure,
        no_resend: args.no_resend,
        connections: args.connections,
        address_order: args.dns.into(),
        stats_by_address: args.stats_by_address,
    };
    settings.check().map_err(|error| Failure::new(Exit::Settings, error))?;
    let unknown = unknown_tags(&loaded.plan, args.tags.iter().chain(&args.exclude_tags));
    if !unknown.is_empty() {
        let tags = listed(&unknown);
        tracing::warn!("no task has {tags} (--tags, --exclude-tags)");
    }
    test::check_connections(&loaded.module, &settings)
        .map_err(|error| Failure::new(Exit::Settings, error))?;
    match test::check(&loaded.plan, &settings) {
        // The form of the page asks for it.
        Err(test::TestError::NoHost { .. }) if !args.headless && !args.autostart => {}
        Err(error) => return Err(Failure::new(Exit::Settings, error)),
        Ok(_) => {}
    }
    Ok(MasterConfig {
        scenario: loaded.name,
        module: loaded.bytes,
        digest: loaded.module.digest(),
        plan: loaded.plan,
        environment: loaded.module.environment().to_vec(),
        settings,
        users: args.users,
        spawn_rate: args.spawn_rate,
        run_time: args.run_time,
        capacity: None,
        rebalance: true,
        module_bandwidth: None,
    })
}

/// Some tags by name, and how many others there are.
fn listed(tags: &[&String]) -> String {
    let named = tags.iter().take(TAGS_NAMED_MAX).map(|tag| format!("`{}`", shown(tag)));
    let named = named.collect::<Vec<_>>().join(", ");
    let rest = tags.len().saturating_sub(TAGS_NAMED_MAX);
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    format!("the tag{} {named}{more}", if tags.len() == 1 { "" } else { "s" })
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
