//! Tests that need a network of their own: names, name servers, addresses and ports that no other
//! test has.
//!
//! Such a test starts itself again in namespaces of its own (`unshare`), where `lo` is all there is
//! and files of `/etc` are what the test says. It needs root or a system that lets everybody make
//! user namespaces, and fails where there is neither.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::Process;
use crate::wait::PATIENCE;

/// Set for a test that is within.
const WITHIN: &str = "SWARM_TESTS_WITHIN";

/// How long a test may take within. Its own waiting is limited.
const TEST_MAX: Duration = Duration::from_secs(5 * PATIENCE.as_secs());

/// The network of a test, and how names are looked up in it.
#[derive(Debug, Clone)]
pub struct Network {
    hosts: String,
    nsswitch: String,
    resolv: String,
}

impl Network {
    /// With the name server [`Dns::ADDRESS`](crate::Dns::ADDRESS), which the test starts, and names
    /// in `/etc/hosts`, a line each.
    pub fn new(hosts: &str) -> Self {
        Self {
            hosts: format!("127.0.0.1 localhost\n{hosts}\n"),
            nsswitch: "hosts: files dns\n".to_owned(),
            resolv: format!("nameserver {}\n", crate::Dns::ADDRESS),
        }
    }

    /// With other services for host names, as `/etc/nsswitch.conf` names them.
    #[must_use]
    pub fn services(self, services: &str) -> Self {
        Self { nsswitch: format!("hosts: {services}\n"), ..self }
    }

    /// With these name servers, in their order.
    #[must_use]
    pub fn name_servers(self, addresses: &[Ipv4Addr]) -> Self {
        let line = |address: &Ipv4Addr| format!("nameserver {address}\n");
        Self { resolv: addresses.iter().map(line).collect(), ..self }
    }

    /// Is this test within its network? If not, it has just run there, and there is nothing left to
    /// do. `module` is `module_path!()`, and `test` the name of the calling function.
    ///
    /// # Panics
    ///
    /// The test has failed within, or the namespaces cannot be made.
    #[track_caller]
    pub fn is_here(&self, module: &str, test: &str) -> bool {
        if std::env::var_os(WITHIN).is_some() {
            return true;
        }
        let folder = tempfile::TempDir::with_prefix("swarm-network-").expect("a folder");
        let mut script = "set -e\nip link set lo up\n".to_owned();
        let files = [
            ("hosts", &self.hosts),
            ("nsswitch.conf", &self.nsswitch),
            ("resolv.conf", &self.resolv),
        ];
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it can be written");
            let place = Path::new("/etc").join(name);
            if !place.exists() {
                assert_eq!(name, "nsswitch.conf", "there is no {} to mount over", place.display());
                assert_eq!(text, "hosts: files dns\n", "there is no {}", place.display());
                continue;
            }
            let (path, place) = (path.display(), place.display());
            script.push_str(&format!("mount --bind {path} {place}\n"));
        }
        script.push_str("exec \"$@\"");
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--net", "--mount", "sh", "-c", &script, "sh"]);
        command.arg(std::env::current_exe().expect("the system knows what it runs"));
        let (_, path) = module.split_once("::").expect("a module of the test's crate");
        command.args([&format!("{path}::{test}"), "--exact", "--nocapture"]).env(WITHIN, "1");
        let mut process = Process::spawn("the test within its network", command);
        let status = process.wait(TEST_MAX);
        let ran = process.out.text().contains("running 1 test");
        assert!(
            ran,
            "{status}: there is no network for this test: it needs root, or a system that lets \
             everybody make user namespaces, and Debian's iproute2 and util-linux"
        );
        assert!(status.success(), "{status}: the test has failed within its network; see below");
        false
    }
}
