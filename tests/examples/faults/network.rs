//! Hosts in network namespaces, the cables between them, and what happens on the wire.
//!
//! This program runs in a namespace of its own, the hub, with two bridges: `control` carries what
//! master and workers say to each other, `load` what goes to the target. Each host has a cable to
//! the bridges that it needs. A cable is pulled at the hub's end, so that the host sees its carrier
//! go as it would with a real one.
//!
//! Packets are dropped where they arrive: dropped where they leave, the sender's kernel would know.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// All names of namespaces begin so; the process id follows.
const PREFIX: &str = "swarm-faults-";
/// Set for this program within the hub.
const WITHIN: &str = "SWARM_FAULTS_WITHIN";
/// The last part of the bridges' own addresses.
const HUB: usize = 254;
/// The last part of the first worker's addresses.
const FIRST_WORKER: usize = 10;

/// A network that a host is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Control,
    Load,
}

/// A machine, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    Hub,
    Master,
    Target,
    Worker(usize),
}

/// The hosts of one run of this program.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    prefix: String,
}

impl Link {
    const ALL: [Self; 2] = [Self::Control, Self::Load];

    /// Of the bridge, and of each host's end of the cable.
    fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Load => "load",
        }
    }
}

impl Host {
    fn name(self) -> String {
        match self {
            Self::Hub => "hub".to_owned(),
            Self::Master => "master".to_owned(),
            Self::Target => "target".to_owned(),
            Self::Worker(number) => format!("w{number}"),
        }
    }

    fn links(self) -> &'static [Link] {
        match self {
            Self::Master => &[Link::Control],
            Self::Target => &[Link::Load],
            Self::Hub | Self::Worker(_) => &Link::ALL,
        }
    }

    /// The hub's end of its cable.
    fn cable(self, link: Link) -> String {
        format!("{}-{}", self.name(), &link.name()[..1])
    }

    /// Its address. Nobody else has these namespaces, so any private one is free.
    pub(crate) fn address(self, link: Link) -> String {
        let network = match link {
            Link::Control => 1,
            Link::Load => 2,
        };
        let host = match self {
            Self::Hub => HUB,
            Self::Master | Self::Target => 1,
            Self::Worker(number) => FIRST_WORKER + number,
        };
        format!("10.83.{network}.{host}")
    }

    /// The worker of an address that [`Host::address`] gave it.
    pub(crate) fn worker_of(address: [u8; 4]) -> Option<usize> {
        let [10, 83, 2, host] = address else { return None };
        usize::from(host).checked_sub(FIRST_WORKER)
    }
}

impl Network {
    /// Makes the hub and starts this program again within it, by the same process id. There it
    /// returns. What an earlier run that was killed has left is deleted.
    pub(crate) fn enter() -> Result<Self, String> {
        let network = Self { prefix: format!("{PREFIX}{}-", std::process::id()) };
        if std::env::var_os(WITHIN).is_some() {
            return Ok(network);
        }
        if !rustix::process::geteuid().is_root() {
            return Err("only root can make network namespaces: run this as root".to_owned());
        }
        remove_left()?;
        let hub = network.namespace(Host::Hub);
        try_run(Command::new("ip").args(["netns", "add", &hub]))?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut again = Command::new("ip");
        again.args(["netns", "exec", &hub]).arg(program).args(std::env::args_os().skip(1));
        let error = again.env(WITHIN, "1").exec();
        network.remove();
        Err(format!("cannot start `ip`: {error}"))
    }

    /// Makes all hosts, and connects them.
    #[track_caller]
    pub(crate) fn build(&self, workers: usize) {
        ip(&["link", "set", "lo", "up"]);
        for link in Link::ALL {
            ip(&["link", "add", link.name(), "type", "bridge"]);
            ip(&["link", "set", link.name(), "up"]);
            let address = format!("{}/24", Host::Hub.address(link));
            ip(&["addr", "add", &address, "dev", link.name()]);
        }
        for host in [Host::Master, Host::Target].into_iter().chain((0..workers).map(Host::Worker)) {
            self.add(host);
        }
    }

    fn add(&self, host: Host) {
        let namespace = self.namespace(host);
        ip(&["netns", "add", &namespace]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        for link in host.links() {
            let (cable, name) = (host.cable(*link), link.name());
            let ends = ["link", "add", &cable, "type", "veth", "peer", "name", name];
            ip(&[&ends[..], &["netns", &namespace]].concat());
            ip(&["link", "set", &cable, "master", name, "up"]);
            let address = format!("{}/24", host.address(*link));
            ip(&["-n", &namespace, "addr", "add", &address, "dev", name]);
            ip(&["-n", &namespace, "link", "set", name, "up"]);
        }
    }

    /// A program on a host.
    pub(crate) fn command(&self, host: Host, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host)]).arg(program);
        command
    }

    /// Pulls a worker's cable, or plugs it in.
    #[track_caller]
    pub(crate) fn plug(&self, worker: usize, link: Link, up: bool) {
        let cable = Host::Worker(worker).cable(link);
        ip(&["link", "set", &cable, if up { "up" } else { "down" }]);
    }

    /// Nothing that this worker sends arrives at the master.
    #[track_caller]
    pub(crate) fn mute(&self, worker: usize) {
        let from = Host::Worker(worker).address(Link::Control);
        self.rule(Host::Master, &format!("ip saddr {from} drop"));
    }

    /// Nothing that the master sends arrives at this worker.
    #[track_caller]
    pub(crate) fn deafen(&self, worker: usize) {
        self.rule(Host::Worker(worker), &format!("iifname {} drop", Link::Control.name()));
    }

    /// So many percent of all packets from and to this worker are lost.
    #[track_caller]
    pub(crate) fn lose(&self, worker: usize, percent: u32) {
        let lost = format!("numgen random mod 100 < {percent} drop");
        let host = Host::Worker(worker);
        for link in Link::ALL {
            self.rule(host, &format!("iifname {} {lost}", link.name()));
        }
        for (end, link) in
            [(Host::Master, Link::Control), (Host::Hub, Link::Control), (Host::Target, Link::Load)]
        {
            self.rule(end, &format!("ip saddr {} {lost}", host.address(link)));
        }
    }

    /// Nothing is lost any more between this worker and anybody.
    #[track_caller]
    pub(crate) fn heal_worker(&self, worker: usize) {
        for host in [Host::Hub, Host::Master, Host::Target, Host::Worker(worker)] {
            self.nft(host, "flush ruleset");
        }
    }

    /// All is as it was at the beginning.
    #[track_caller]
    pub(crate) fn heal(&self) {
        for worker in 0..crate::cluster::WORKERS {
            self.heal_worker(worker);
            for link in Link::ALL {
                self.plug(worker, link, true);
            }
        }
    }

    /// Deletes all hosts of this run. Errors are told: it may be too late for anything else.
    pub(crate) fn remove(&self) {
        if let Err(message) = remove_all(|name| name.starts_with(&self.prefix)) {
            eprintln!("warning: {message}");
        }
    }

    fn namespace(&self, host: Host) -> String {
        format!("{}{}", self.prefix, host.name())
    }

    fn rule(&self, host: Host, rule: &str) {
        self.nft(
            host,
            &format!(
                "add table inet faults; \
                 add chain inet faults arriving {{ type filter hook input priority 0; }}; \
                 add rule inet faults arriving {rule}"
            ),
        );
    }

    #[track_caller]
    fn nft(&self, host: Host, commands: &str) {
        run(self.command(host, "nft").arg(commands));
    }
}

/// Deletes what earlier runs have left whose process is no more.
fn remove_left() -> Result<(), String> {
    remove_all(|name| {
        let rest = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        let pid = rest.and_then(|(pid, _)| pid.parse::<u32>().ok());
        pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    })
}

fn remove_all(wanted: impl Fn(&str) -> bool) -> Result<(), String> {
    let list = try_run(Command::new("ip").args(["netns", "list"]))?;
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| wanted(name)) {
        try_run(Command::new("ip").args(["netns", "delete", name]))?;
    }
    Ok(())
}

#[track_caller]
fn ip(arguments: &[&str]) {
    run(Command::new("ip").args(arguments));
}

#[track_caller]
fn run(command: &mut Command) {
    if let Err(message) = try_run(command) {
        panic!("{message}");
    }
}

/// What it prints.
fn try_run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| {
        format!("cannot start {command:?}: {error}; Debian's iproute2 and nftables are needed")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {}", said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_known_by_its_address() {
        let address: std::net::Ipv4Addr = Host::Worker(3).address(Link::Load).parse().unwrap();
        assert_eq!(Host::worker_of(address.octets()), Some(3));
        assert_eq!(Host::worker_of([10, 83, 2, 1]), None, "the target itself");
        assert_eq!(Host::worker_of([10, 83, 1, 13]), None, "another network");
    }
}
