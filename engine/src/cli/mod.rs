//! Flags as typed. Locust's names where the meaning is the same; each also as `SWARM_...` in the
//! environment.
//!
//! # Layout
//! - this file: the flags. `secure`: those that say who may come in. `values`: checks of values.
//! - `parse`: from words to flags. `environment`: the words that variables stand for.
//! - `advice`: what to do instead. `help`: how the help is arranged.

mod advice;
mod environment;
mod help;
mod parse;
pub(crate) mod secure;
mod values;

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use swarm_core::message::{AddressOrder, Connections};

use crate::output::is_stdout;
use crate::processes::Part;
pub(crate) use parse::Note;
use secure::{CertsArgs, EntryArgs, PageArgs, TrustArgs};
use values::{Sources, argument, item, rate, seconds, users, variable};

/// A WebAssembly-scripted, distributed HTTP load engine.
#[derive(Debug, Parser)]
#[command(name = "swarm", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Least severe log lines to print.
    #[arg(short = 'L', long = "loglevel", global = true, env = "SWARM_LOGLEVEL")]
    #[arg(value_enum, default_value = "info", ignore_case = true)]
    pub(crate) log_level: LogLevel,

    /// What its operator should know of it.
    #[arg(skip)]
    pub(crate) notes: Vec<Note>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a test in one process: master, worker and web page.
    Run(RunArgs),
    /// Coordinate workers: web page, module, users, merged statistics. Runs no user itself.
    Master(MasterArgs),
    /// Run users for a master.
    Worker(WorkerArgs),
    /// Make a private authority, and certificates for a master and its workers.
    Certs(CertsArgs),
    /// Validate a scenario and print what it consists of.
    Check(CheckArgs),
    /// Start the demo server, a target for trying things out.
    Target(TargetArgs),
}

impl Command {
    /// Is standard output for a result alone?
    pub(crate) fn takes_stdout(&self) -> bool {
        let test = match self {
            Self::Run(args) => &args.test,
            Self::Master(args) => &args.test,
            Self::Worker(_) | Self::Certs(_) | Self::Check(_) | Self::Target(_) => return false,
        };
        test.json_file.as_deref().is_some_and(is_stdout)
    }
}

/// Severity of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    #[value(alias = "warn")]
    Warning,
    #[value(alias = "critical")]
    Error,
    Off,
}

/// With which address of a name a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dns {
    RoundRobin,
    First,
    Random,
}

impl From<Dns> for AddressOrder {
    fn from(dns: Dns) -> Self {
        match dns {
            Dns::RoundRobin => Self::RoundRobin,
            Dns::First => Self::First,
            Dns::Random => Self::Random,
        }
    }
}

/// What a test consists of, for `run` and `master`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Base URL of the target, such as http://localhost:8080; it may carry a base path.
    #[arg(short = 'H', long, env = "SWARM_HOST")]
    pub(crate) host: Option<String>,

    /// Users in the whole test.
    #[arg(short = 'u', long, env = "SWARM_USERS", value_parser = users)]
    pub(crate) users: Option<u32>,

    /// Users to start (or end) each second.
    #[arg(short = 'r', long, env = "SWARM_SPAWN_RATE", value_parser = rate)]
    pub(crate) spawn_rate: Option<f64>,

    /// Stop after this long, from the start of the test: 300, 300s, 20m, 1h30m.
    #[arg(short = 't', long, env = "SWARM_RUN_TIME", value_parser = values::run_time)]
    pub(crate) run_time: Option<Duration>,

    /// Start at once, without the web page, and end with the test.
    #[arg(long, env = "SWARM_HEADLESS")]
    pub(crate) headless: bool,

    /// Start at once, with the web page.
    #[arg(long, env = "SWARM_AUTOSTART", conflicts_with = "headless")]
    pub(crate) autostart: bool,

    /// How long users may finish their tasks when the test stops: 0, 10, 1m.
    #[arg(short = 's', long, env = "SWARM_STOP_TIMEOUT")]
    #[arg(default_value = "0", value_parser = seconds)]
    pub(crate) stop_timeout: Duration,

    /// Run only tasks with one of these tags.
    #[arg(short = 'T', long, env = "SWARM_TAGS", value_delimiter = ',', value_parser = item)]
    #[arg(value_name = "TAG,...")]
    pub(crate) tags: Vec<String>,

    /// Do not run tasks with one of these tags.
    #[arg(short = 'E', long, env = "SWARM_EXCLUDE_TAGS", value_delimiter = ',')]
    #[arg(value_parser = item, value_name = "TAG,...")]
    pub(crate) exclude_tags: Vec<String>,

    /// What the scenario's `args.get(NAME)` answers; one argument each time that it is given. The
    /// variable has one NAME=VALUE a line. A flag replaces the variable's value of the same name.
    #[arg(long = "arg", env = "SWARM_ARGS", value_parser = argument, value_name = "NAME=VALUE")]
    pub(crate) args: Vec<(String, String)>,

    /// What a script finds in its environment (`os.environ`), on every worker: NAME=VALUE, or NAME
    /// for what that is in the environment of this process. SWARM_ENV has one of them a line. A
    /// flag replaces the variable's value of the same name.
    #[arg(short = 'e', long, env = "SWARM_ENV", value_parser = variable)]
    #[arg(value_name = "NAME[=VALUE]", hide_env_values = true)]
    pub(crate) env: Vec<(String, String)>,

    /// Hosts besides the target that scenarios may reach.
    #[arg(long, env = "SWARM_ALLOW_HOST", value_delimiter = ',', value_parser = item)]
    #[arg(value_name = "HOST[:PORT],...")]
    pub(crate) allow_host: Vec<String>,

    /// Seed of all randomness of the test, to repeat it. Random unless given.
    #[arg(long, env = "SWARM_SEED")]
    pub(crate) seed: Option<u64>,

    /// Time limit of a request, unless the scenario sets one.
    #[arg(long, env = "SWARM_REQUEST_TIMEOUT")]
    #[arg(default_value = "60", value_parser = values::time_limit)]
    pub(crate) request_timeout: Duration,

    /// Accept any certificate of the target. Without it, it must be signed by one of the system's
    /// authorities or, where SSL_CERT_FILE or SSL_CERT_DIR is set, by one that these name (or be
    /// named itself); on each worker.
    #[arg(long, env = "SWARM_INSECURE")]
    pub(crate) insecure: bool,

    /// Send no request a second time. Otherwise a GET, HEAD, OPTIONS, TRACE, PUT or DELETE that
    /// meets the target closing its kept connection, within a round trip and 10 ms of being sent,
    /// is sent again on a new one, and counted.
    #[arg(long, env = "SWARM_NO_RESEND")]
    pub(crate) no_resend: bool,

    /// Whose connections carry the requests: per-user, or shared:N for N to each host and load
    /// thread. Users that share have no cookies. Only for scenarios of the async world.
    #[arg(long, env = "SWARM_CONNECTIONS", default_value = "per-user")]
    #[arg(value_parser = values::connections, value_name = "per-user|shared:N")]
    pub(crate) connections: Connections,

    /// With which address each new connection begins where a name has several: the next one, the
    /// first, or one drawn by the seed. Those that do not answer come last.
    #[arg(long, env = "SWARM_DNS", value_enum, default_value = "round-robin")]
    pub(crate) dns: Dns,

    /// Address of the web page; 0.0.0.0 to let other machines see it, with a login.
    #[arg(long, env = "SWARM_WEB_HOST", default_value = "127.0.0.1")]
    pub(crate) web_host: String,

    /// Port of the web page; 0 takes a free one.
    #[arg(short = 'P', long, env = "SWARM_WEB_PORT", default_value = "8089")]
    pub(crate) web_port: u16,

    #[command(flatten)]
    pub(crate) page: PageArgs,

    /// Print nothing but the result at the end, not the statistics while the test runs.
    #[arg(long, env = "SWARM_ONLY_SUMMARY", conflicts_with = "print_stats")]
    pub(crate) only_summary: bool,

    /// With the web page: print the statistics by name while a test runs, as --headless does.
    #[arg(long, env = "SWARM_PRINT_STATS")]
    pub(crate) print_stats: bool,

    /// Write the result as JSON to this file; - is standard output, where nothing else is printed
    /// then.
    #[arg(long, env = "SWARM_JSON_FILE", value_name = "FILE")]
    pub(crate) json_file: Option<PathBuf>,

    /// Write the result as CSV to files that begin with this.
    #[arg(long, env = "SWARM_CSV", value_name = "PREFIX")]
    pub(crate) csv: Option<PathBuf>,

    /// Give the CSV file of the statistics over time a line for each name and second, not only for
    /// the sum of all. It is also at /stats/requests_full_history/csv of the web page.
    #[arg(long, env = "SWARM_CSV_FULL_HISTORY", requires = "csv")]
    pub(crate) csv_full_history: bool,

    /// Count connections and requests by the target's addresses as well: a table at the end, and
    /// "addresses" in --json-file. Each request costs a little more then.
    #[arg(long, env = "SWARM_STATS_BY_ADDRESS")]
    pub(crate) stats_by_address: bool,

    /// Exit code of a test with failures or exceptions.
    #[arg(long, env = "SWARM_EXIT_CODE_ON_ERROR", default_value = "1")]
    pub(crate) exit_code_on_error: u8,
}

/// `swarm run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The scenario: a WebAssembly component, or a Locust script (FILE.py, or a folder with
    /// locustfile.py). Without it: the embedded `website`.
    #[arg(env = "SWARM_SCENARIO")]
    pub(crate) scenario: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) test: TestArgs,

    /// Threads that run users. Default: one for each core.
    #[arg(long, env = "SWARM_THREADS", value_parser = values::threads)]
    pub(crate) threads: Option<usize>,

    /// Computing time of one call into the scenario (a task, a start); waiting does not count.
    #[arg(long, env = "SWARM_TASK_CPU_LIMIT", default_value = "5", value_name = "SECONDS")]
    #[arg(value_parser = values::cpu_limit)]
    pub(crate) task_cpu_limit: Duration,

    /// Run users by the component layer, also where they could do without: for tests.
    #[arg(long, hide = true)]
    pub(crate) component_layer: bool,

    #[command(flatten)]
    pub(crate) sources: SourceArgs,
}

/// Where connections come from, for `run` and `worker`.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Local addresses that users connect from, in turn; each brings its own local ports, some
    /// 28,000 towards one target. Addresses, ranges (127.0.0.2-9) and blocks (127.1.0.0/28).
    #[arg(long = "source-address", env = "SWARM_SOURCE_ADDRESS", value_delimiter = ',')]
    #[arg(value_parser = values::sources, value_name = "ADDRESS,...")]
    pub(crate) addresses: Vec<Sources>,
}

/// `swarm master`
#[derive(Debug, Args)]
pub(crate) struct MasterArgs {
    /// The scenario: a WebAssembly component, or a Locust script (FILE.py, or a folder with
    /// locustfile.py).
    #[arg(env = "SWARM_SCENARIO")]
    pub(crate) scenario: PathBuf,

    #[command(flatten)]
    pub(crate) test: TestArgs,

    /// Address that workers connect to; 0.0.0.0 to let other machines in, with a token or a
    /// certificate.
    #[arg(long, env = "SWARM_MASTER_BIND_HOST", default_value = "127.0.0.1")]
    pub(crate) master_bind_host: String,

    /// Port that workers connect to; 0 takes a free one.
    #[arg(long, env = "SWARM_MASTER_BIND_PORT", default_value = "5557")]
    pub(crate) master_bind_port: u16,

    /// Move no users to even out the workers: one that joins a running test gets only users that
    /// start, or that have lost their worker.
    #[arg(long, env = "SWARM_NO_REBALANCE")]
    pub(crate) no_rebalance: bool,

    #[command(flatten)]
    pub(crate) entry: EntryArgs,

    /// With --headless or --autostart: start when this many workers are ready.
    #[arg(long, env = "SWARM_EXPECT_WORKERS", default_value = "1")]
    pub(crate) expect_workers: u32,

    /// Give up when the expected workers are not there after this long; 0 waits for ever.
    #[arg(long, env = "SWARM_EXPECT_WORKERS_MAX_WAIT", default_value = "0", value_parser = seconds)]
    pub(crate) expect_workers_max_wait: Duration,

    /// Most bytes a second of scenarios on their way to all workers together: 500K, 100M, 1.5G.
    /// Without it they go as fast as the network takes them. Nothing else waits behind them.
    #[arg(long, env = "SWARM_MODULE_BANDWIDTH", value_name = "BYTES")]
    #[arg(value_parser = values::bandwidth)]
    pub(crate) module_bandwidth: Option<NonZeroU64>,

    /// Write everything that happens to this folder, made if need be. When the master dies, the
    /// same command goes on with the test; workers carry on meanwhile (their --master-grace).
    #[arg(long, env = "SWARM_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// `swarm worker`
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The master's address.
    #[arg(long, env = "SWARM_MASTER_HOST", default_value = "127.0.0.1")]
    #[arg(value_parser = values::machine)]
    pub(crate) master_host: String,

    /// The master's port.
    #[arg(long, env = "SWARM_MASTER_PORT", default_value = "5557", value_parser = values::port)]
    pub(crate) master_port: u16,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,

    /// Give up when the master is not there for this long; 0 tries for ever.
    #[arg(long, env = "SWARM_MASTER_MAX_WAIT", default_value = "0", value_parser = seconds)]
    pub(crate) master_max_wait: Duration,

    /// How long to carry on with the load when the master is gone.
    #[arg(long, env = "SWARM_MASTER_GRACE", default_value = "30", value_parser = seconds)]
    pub(crate) master_grace: Duration,

    /// Name of this worker, unique among the master's. Default: HOSTNAME_RANDOM.
    #[arg(long, env = "SWARM_WORKER_ID", value_parser = values::worker_id)]
    pub(crate) id: Option<String>,

    /// Most users that this worker takes.
    #[arg(long, env = "SWARM_MAX_USERS", value_parser = users)]
    pub(crate) max_users: Option<u32>,

    /// Its part of the users beside those of the other workers: one of weight 3 runs three times as
    /// many as one of weight 1. With --processes that of each process.
    #[arg(long, env = "SWARM_WEIGHT", default_value = "1", value_parser = values::weight)]
    pub(crate) weight: u32,

    /// Threads that run users. Default: one for each core.
    #[arg(long, env = "SWARM_THREADS", value_parser = values::threads)]
    pub(crate) threads: Option<usize>,

    /// Computing time of one call into the scenario (a task, a start); waiting does not count.
    #[arg(long, env = "SWARM_TASK_CPU_LIMIT", default_value = "5", value_name = "SECONDS")]
    #[arg(value_parser = values::cpu_limit)]
    pub(crate) task_cpu_limit: Duration,

    #[command(flatten)]
    pub(crate) sources: SourceArgs,

    /// Processes to run as, each a worker of its own to the master (ID-1, ID-2...) with its part of
    /// the cores; -1 is one for each core. The limits of memory maps and open files are by process.
    #[arg(long, env = "SWARM_PROCESSES", default_value = "1", allow_negative_numbers = true)]
    #[arg(value_parser = values::processes)]
    pub(crate) processes: u32,

    /// Set by the parent: which of its processes this is.
    #[arg(long, hide = true)]
    pub(crate) part: Option<Part>,
}

/// `swarm check`
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The scenario: a WebAssembly component, or a Locust script (FILE.py, or a folder with
    /// locustfile.py).
    pub(crate) scenario: PathBuf,

    /// Print as JSON.
    #[arg(long)]
    pub(crate) json: bool,

    /// As that of `run`: what a script finds in its environment.
    #[arg(short = 'e', long, env = "SWARM_ENV", value_parser = variable)]
    #[arg(value_name = "NAME[=VALUE]", hide_env_values = true)]
    pub(crate) env: Vec<(String, String)>,

    /// As that of `run`.
    #[arg(long, hide = true)]
    pub(crate) component_layer: bool,
}

/// `swarm target`
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Address to listen on.
    #[arg(long, env = "SWARM_TARGET_HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// Port to listen on; 0 takes a free one.
    #[arg(long, env = "SWARM_TARGET_PORT", default_value = "8080")]
    pub(crate) port: u16,

    /// Threads that answer. Default: one for each core.
    #[arg(long, env = "SWARM_TARGET_THREADS", value_parser = values::threads)]
    pub(crate) threads: Option<usize>,

    /// Processes to serve from, on one port and with one sum of counts, each with its part of the
    /// cores; -1 is one for each core. Sessions of the shop belong to the process that began them:
    /// with several, a client must keep its connection from login to checkout.
    #[arg(long, env = "SWARM_TARGET_PROCESSES", default_value = "1")]
    #[arg(allow_negative_numbers = true, value_parser = values::processes)]
    pub(crate) processes: u32,

    /// Set by the parent: which of its processes this is.
    #[arg(long, hide = true)]
    pub(crate) part: Option<Part>,
}
