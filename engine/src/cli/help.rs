//! How the help is arranged: flags in groups, their variables, examples.

use clap::{Arg, Command};

/// Groups of flags, each with flags by name. A flag of none of them stands under "Options".
const GROUPS: [(&str, &[&str]); 7] = [
    (
        "Load",
        &[
            "host",
            "users",
            "spawn-rate",
            "run-time",
            "headless",
            "autostart",
            "stop-timeout",
            "expect-workers",
            "expect-workers-max-wait",
        ],
    ),
    (
        "Scenario",
        &[
            "tags",
            "exclude-tags",
            "arg",
            "env",
            "allow-host",
            "seed",
            "request-timeout",
            "insecure",
            "connections",
            "no-resend",
            "dns",
            "task-cpu-limit",
        ],
    ),
    (
        "Cluster",
        &[
            "master-bind-host",
            "master-bind-port",
            "no-rebalance",
            "module-bandwidth",
            "state-dir",
            "master-host",
            "master-port",
            "master-max-wait",
            "master-grace",
            "id",
            "max-users",
            "weight",
        ],
    ),
    ("Web page", &["web-host", "web-port", "web-allow-host", "web-base-path"]),
    (
        "Security",
        &[
            "web-token-file",
            "web-no-login",
            "token-file",
            "master-no-auth",
            "tls-cert",
            "tls-key",
            "tls-ca",
            "tls-server-name",
        ],
    ),
    (
        "Results",
        &[
            "json-file",
            "csv",
            "csv-full-history",
            "only-summary",
            "stats-by-address",
            "exit-code-on-error",
        ],
    ),
    ("Machine", &["threads", "processes", "source-address"]),
];

const EXAMPLES: [(&str, &str); 6] = [
    (
        "run",
        "Examples:
  swarm run website.wasm --host http://localhost:8080
      offers the test on the web page, http://127.0.0.1:8089
  swarm run website.wasm --host https://shop.test --headless -u 500 -r 50 -t 2m --csv result
      runs it at once for two minutes, for CI
  swarm run checkout.wasm -H https://shop.test --arg user=alice --arg 'query=a;b' --tags buy",
    ),
    (
        "master",
        "Examples:
  swarm master website.wasm --host http://shop.test
      waits for workers of this machine, and offers the test on the web page
  swarm master website.wasm -H http://shop.test --master-bind-host 0.0.0.0 --token-file token \\
      --headless --expect-workers 4 -u 10000 -r 500 -t 10m --json-file result.json",
    ),
    (
        "worker",
        "Examples:
  swarm worker --master-host 10.0.0.1 --token-file token
  swarm worker --master-host 10.0.0.1 --tls-ca ca.pem --processes -1 --weight 2",
    ),
    (
        "certs",
        "Examples:
  swarm certs --out certs --master-host master.test,10.0.0.1",
    ),
    (
        "check",
        "Examples:
  swarm check website.wasm
  swarm check website.wasm --json",
    ),
    (
        "target",
        "Examples:
  swarm target --port 8080",
    ),
];

/// The command as it is parsed and as its help is printed. Variables stand in the help; their
/// values do not, and are not read here.
pub(super) fn arrange(command: Command) -> Command {
    command.mut_args(arrange_argument).mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        let command = command.mut_args(arrange_argument);
        match EXAMPLES.iter().find(|(known, _)| *known == name) {
            Some((_, examples)) => command.after_help(*examples),
            None => command,
        }
    })
}

fn arrange_argument(mut arg: Arg) -> Arg {
    if let Some(variable) = arg.get_env().map(|name| name.to_string_lossy().into_owned()) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg = arg.help(format!("{help} [env: {variable}]")).env(None::<&'static str>);
    }
    let Some(long) = arg.get_long().map(ToOwned::to_owned) else { return arg };
    if arg.get_action().takes_values() {
        // `-5` is a wrong number, not an unknown flag.
        arg = arg.allow_negative_numbers(true);
    }
    match GROUPS.iter().find(|(_, flags)| flags.contains(&long.as_str())) {
        Some((group, _)) => arg.help_heading(*group),
        None => arg,
    }
}
