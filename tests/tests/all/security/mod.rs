//! Who may come in, and who may listen: tokens, TLS, the page's login, peers that mean harm.
//! `engine/THREAT_MODEL.md` names these tests line by line.
//!
//! # Layout
//! - this file: certificates, and a wire that is listened to.
//! - `tokens`: join tokens, right, wrong and none; `tls`: encryption and certificates.
//! - `opening`: what may be opened to other machines, and the page's login.
//! - `peers`: workers and masters that mean harm. `model`: the threat model names its tests.

mod model;
mod opening;
mod peers;
mod tls;
mod tokens;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use swarm_tests::{Master, PATIENCE, Process, Swarm, Target, Worker};

use crate::guests::Guest;

/// A token that nobody guesses.
const TOKEN: &str = "3q2-aZ8mLw5xTqV0yRb7";

/// A master with a page, for users that visit `/` of the target.
#[track_caller]
fn master(swarm: &Swarm, target: &Target, arguments: &[&str]) -> Master {
    let guest = Guest::visiting(&["/"]).write(swarm, "visitor");
    swarm.master(&guest, &[&["-H", &target.url()], arguments].concat())
}

/// A worker of one thread.
#[track_caller]
fn worker(swarm: &Swarm, master: &Master, arguments: &[&str]) -> Worker {
    swarm.worker(master, &[&["--threads", "1"], arguments].concat())
}

/// The worker ends with this exit code and says all of this.
#[track_caller]
fn ends(mut worker: Worker, exit: i32, parts: &[&str]) -> String {
    let code = worker.process.wait(PATIENCE).code();
    let said = worker.process.err.text();
    assert_eq!(code, Some(exit), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// The master has no worker, and nobody has sent a request: whatever was tried had no effect.
#[track_caller]
fn nothing_has_happened(master: &mut Master, target: &Target) {
    let stats = master.page().stats();
    assert_eq!(stats["workers"], serde_json::json!([]), "{stats}");
    assert_eq!(stats["state"], "ready");
    assert_eq!(target.counts().total, 0);
    assert!(master.process.is_running());
    let log = master.process.err.text();
    assert!(!log.contains("sending the module") && !log.contains("has joined"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// A worker that may join runs users.
#[track_caller]
fn runs_users(master: &Master, target: &Target) {
    master.page().wait_for_workers(1);
    master.page().start(2, 10.0);
    target.wait_for_requests(target.counts().total + 10);
    master.page().stop();
    master.page().wait_for_state("stopped");
}

/// Certificates made by `swarm certs`, in a folder of the test.
struct Certs(PathBuf);

impl Certs {
    #[track_caller]
    fn made(swarm: &Swarm, name: &str) -> Self {
        Self::for_host(swarm, name, "localhost,127.0.0.1")
    }

    #[track_caller]
    fn for_host(swarm: &Swarm, name: &str, host: &str) -> Self {
        let arguments = ["certs", "--out", name, "--master-host", host];
        let (status, process) = swarm.finished(&arguments);
        assert!(status.success(), "{}", process.err.text());
        Self(swarm.folder().join(name))
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("temporary folders have plain names").to_owned()
    }

    /// Flags of a master that speaks TLS.
    fn master(&self) -> Vec<String> {
        let flags = ["--tls-cert", "master.pem", "--tls-key", "master-key.pem"];
        self.flags(&flags)
    }

    /// Flags of a worker that trusts that master.
    fn worker(&self) -> Vec<String> {
        self.flags(&["--tls-ca", "ca.pem"])
    }

    /// Flags of a worker that also has a certificate.
    fn certified_worker(&self) -> Vec<String> {
        let own = ["--tls-cert", "worker.pem", "--tls-key", "worker-key.pem"];
        [self.worker(), self.flags(&own)].concat()
    }

    /// Flags of a master that demands one.
    fn demanding_master(&self) -> Vec<String> {
        [self.master(), self.worker()].concat()
    }

    fn flags(&self, flags: &[&str]) -> Vec<String> {
        let flag = |text: &&str| match text.starts_with("--") {
            true => (*text).to_owned(),
            false => self.file(text),
        };
        flags.iter().map(flag).collect()
    }
}

/// As arguments are passed.
fn text(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

/// Certificates for 127.0.0.1 that are valid between two days, counted from now.
fn dated_certs(swarm: &Swarm, name: &str, from_days: i64, to_days: i64) -> Certs {
    let day = |days| {
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        let now = i64::try_from(now).expect("before the end of time");
        time::OffsetDateTime::from_unix_timestamp(now + days * 86_400).expect("near enough")
    };
    let folder = swarm.folder().join(name);
    std::fs::create_dir(&folder).expect("it is new");
    let write = |file: &str, text: String| {
        std::fs::write(folder.join(file), text).expect("temporary folders can be written to");
    };
    let key = KeyPair::generate().expect("a key can be made");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("ca.pem", params.self_signed(&key).expect("an authority").pem());
    let issuer = Issuer::new(params, key);
    for who in ["master", "worker"] {
        let key = KeyPair::generate().expect("a key can be made");
        let names = vec!["127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("an address");
        (params.not_before, params.not_after) = (day(from_days), day(to_days));
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        write(&format!("{who}.pem"), certificate.pem());
        write(&format!("{who}-key.pem"), key.serialize_pem());
    }
    Certs(folder)
}

/// Passes bytes on between a worker and its master, and keeps them.
struct Wire {
    address: SocketAddr,
    heard: Heard,
}

/// What went over the wire: to the master, to the worker.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<[Vec<u8>; 2]>>);

impl Heard {
    fn add(&self, direction: usize, bytes: &[u8]) {
        self.0.lock().expect("no test has panicked with it")[direction].extend_from_slice(bytes);
    }

    fn to_master(&self) -> Vec<u8> {
        self.0.lock().expect("no test has panicked with it")[0].clone()
    }

    fn holds(&self, wanted: &[u8]) -> bool {
        let heard = self.0.lock().expect("no test has panicked with it");
        heard.iter().any(|bytes| bytes.windows(wanted.len()).any(|part| part == wanted))
    }
}

impl Wire {
    #[track_caller]
    fn to(master: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        let address = listener.local_addr().expect("it is bound");
        let heard = Heard::default();
        let keeping = heard.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(master) else { return };
                for (direction, from, to) in [(0, &near, &far), (1, &far, &near)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
                    let heard = keeping.clone();
                    std::thread::spawn(move || pass(from, to, |b| heard.add(direction, b)));
                }
            }
        });
        Self { address, heard }
    }

    #[track_caller]
    fn worker(&self, swarm: &Swarm, arguments: &[&str]) -> Worker {
        swarm.worker_at(self.address, &[&["--threads", "1"], arguments].concat())
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, keep: impl Fn(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        keep(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other direction may be over already.
    let _ = to.shutdown(Shutdown::Write);
}

/// Sends recorded bytes on a connection of its own, and waits for the other side to end it or to
/// fall silent.
#[track_caller]
fn say_again(master: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(master).expect("the master listens");
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("sockets have timeouts");
    // It may be cut off in the middle.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Starts a worker with a variable of its environment set.
#[track_caller]
fn worker_with(swarm: &Swarm, master: &Master, variable: (&str, &str), flags: &[&str]) -> Worker {
    let port = master.address().port().to_string();
    let mut command = swarm.command(&["worker", "--threads", "1", "--master-port", &port]);
    command.args(flags).env(variable.0, variable.1);
    Worker { process: Process::spawn("worker", command) }
}

/// The path of a file in the test's folder as a flag takes it.
fn path(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
