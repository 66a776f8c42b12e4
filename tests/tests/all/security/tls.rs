//! TLS between master and workers: nobody can listen, and each side knows who the other is.

use std::net::TcpStream;

use swarm_tests::{PATIENCE, Swarm, wait_until};

use super::{
    Certs, TOKEN, Wire, dated_certs, ends, master, nothing_has_happened, path, runs_users,
};
use super::{say_again, text, worker};
use crate::verdict::{OUTPUT, REFUSED, SETTINGS, USAGE, refused};

/// A recording of the whole conversation shows nothing of the scenario, the target or the worker;
/// without TLS it shows all of it.
#[test]
fn nothing_can_be_read_on_the_way() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let certs = Certs::made(&swarm, "certs");
    let secrets = |swarm: &Swarm| {
        let module = std::fs::read(swarm.folder().join("visitor.wasm")).expect("it was written");
        // The middle of the module, in one chunk of the wire.
        let middle = module[module.len() / 2..][..64].to_vec();
        [middle, target.url().into_bytes(), b"the-name-of-the-worker".to_vec()]
    };
    for encrypted in [false, true] {
        let (masters, workers) = match encrypted {
            true => (certs.demanding_master(), certs.certified_worker()),
            false => (Vec::new(), Vec::new()),
        };
        let master = master(&swarm, &target, &text(&masters));
        let wire = Wire::to(master.address());
        // A cache of its own: the module has to be fetched.
        let port = wire.address.port().to_string();
        let mut command = swarm.command(&["worker", "--threads", "1", "--master-port", &port]);
        command.args(["--id", "the-name-of-the-worker"]).args(&workers);
        command.env("SWARM_CACHE_DIR", swarm.folder().join(format!("cache-{encrypted}")));
        let _worker = swarm_tests::Process::spawn("worker", command);
        runs_users(&master, &target);
        for secret in secrets(&swarm) {
            let seen = wire.heard.holds(&secret);
            assert_eq!(seen, !encrypted, "{:?}", String::from_utf8_lossy(&secret));
        }
    }
}

#[test]
fn a_recorded_connection_is_worth_nothing() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let certs = Certs::made(&swarm, "certs");
    let master = master(&swarm, &target, &text(&certs.demanding_master()));
    let wire = Wire::to(master.address());
    let mut joined = wire.worker(&swarm, &text(&certs.certified_worker()));
    runs_users(&master, &target);
    assert_eq!(joined.leave(PATIENCE).code(), Some(0));
    let before = target.counts().total;
    say_again(master.address(), &wire.heard.to_master());
    let log = master.process.err.text();
    assert_eq!(log.matches("has joined").count(), 1, "{log}");
    master.page().wait_for_workers(0);
    assert_eq!(target.counts().total, before);
}

/// A token over TLS: the master needs no certificate of the worker.
#[test]
fn tls_and_a_token_go_together() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let certs = Certs::made(&swarm, "certs");
    let file = swarm.file("token", TOKEN.as_bytes());
    let token = ["--token-file", path(&file)];
    let mut master = master(&swarm, &target, &[&text(&certs.master())[..], &token].concat());
    let stranger = worker(&swarm, &master, &text(&certs.worker()));
    ends(stranger, REFUSED, &["this one has none", "--token-file"]);
    nothing_has_happened(&mut master, &target);
    let _worker = worker(&swarm, &master, &[&text(&certs.worker())[..], &token].concat());
    runs_users(&master, &target);
}

#[test]
fn a_master_of_another_authority_is_not_trusted() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let (ours, others) = (Certs::made(&swarm, "ours"), Certs::made(&swarm, "others"));
    let mut master = master(&swarm, &target, &text(&ours.master()));
    let wrong = worker(&swarm, &master, &text(&others.worker()));
    let parts =
        ["does not take that master", "not of an authority in", "others/ca.pem", "--tls-ca"];
    ends(wrong, REFUSED, &parts);
    nothing_has_happened(&mut master, &target);
}

#[test]
fn a_certificate_for_another_name_is_not_trusted() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let certs = Certs::for_host(&swarm, "certs", "load.example");
    let mut master = master(&swarm, &target, &text(&certs.master()));
    let flags = certs.worker();
    let parts = ["is not for 127.0.0.1", "--master-host", "--tls-server-name"];
    ends(worker(&swarm, &master, &text(&flags)), REFUSED, &parts);
    nothing_has_happened(&mut master, &target);
    let named = [&text(&flags)[..], &["--tls-server-name", "load.example"]].concat();
    let _worker = worker(&swarm, &master, &named);
    runs_users(&master, &target);
}

#[test]
fn workers_need_a_certificate_where_it_is_demanded() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let (ours, others) = (Certs::made(&swarm, "ours"), Certs::made(&swarm, "others"));
    let mut master = master(&swarm, &target, &text(&ours.demanding_master()));
    let without = worker(&swarm, &master, &text(&ours.worker()));
    ends(without, REFUSED, &["it demands a certificate", "--tls-cert", "--tls-key"]);
    // It trusts the master, and shows a certificate of somebody else's.
    let [certificate, key] = ["worker.pem", "worker-key.pem"].map(|file| others.file(file));
    let own = ["--tls-cert", &certificate, "--tls-key", &key];
    let wrong = worker(&swarm, &master, &[&text(&ours.worker())[..], &own].concat());
    ends(wrong, REFUSED, &["does not accept this worker's certificate", "--tls-ca"]);
    for part in ["it has shown no certificate", "not of the authority in --tls-ca"] {
        wait_until(part, PATIENCE, || master.process.err.find(part).is_some());
    }
    nothing_has_happened(&mut master, &target);
    let _right = worker(&swarm, &master, &text(&ours.certified_worker()));
    runs_users(&master, &target);
}

/// As a clock that is a day off would see them. That the other side looks too is shown by
/// `each_side_looks_at_the_time_of_the_others_certificate`.
#[test]
fn certificates_have_their_time() {
    let swarm = Swarm::new();
    crate::guests::Guest::visiting(&["/"]).write(&swarm, "visitor");
    for (name, from, to, parts) in [
        ("expired", -30, -1, ["expired on", "and it is", "swarm certs"]),
        ("early", 1, 30, ["is valid from", "and it is", "clock"]),
    ] {
        let certs = dated_certs(&swarm, name, from, to);
        // Whose it is finds out before a port is opened.
        let flags = certs.master();
        let own = [&["master", "visitor.wasm"], &text(&flags)[..]].concat();
        refused(&swarm, &own, SETTINGS, &[&parts[..], &["master.pem"]].concat());
        let flags = certs.certified_worker();
        refused(&swarm, &[&["worker"], &text(&flags)[..]].concat(), SETTINGS, &parts);
    }
}

#[test]
fn a_worker_without_tls_is_told_that_the_master_speaks_it() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let certs = Certs::made(&swarm, "certs");
    let mut master = master(&swarm, &target, &text(&certs.master()));
    ends(worker(&swarm, &master, &[]), REFUSED, &["this master speaks TLS", "--tls-ca"]);
    let part = "does not speak TLS, and this master does";
    wait_until(part, PATIENCE, || master.process.err.find(part).is_some());
    nothing_has_happened(&mut master, &target);
}

#[test]
fn a_worker_with_tls_is_told_that_the_master_speaks_none() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let certs = Certs::made(&swarm, "certs");
    let mut master = master(&swarm, &target, &[]);
    let parts = ["no TLS at all", "--tls-cert", "leave out --tls-ca"];
    ends(worker(&swarm, &master, &text(&certs.worker())), REFUSED, &parts);
    let part = "it speaks TLS, and this master does not";
    wait_until(part, PATIENCE, || master.process.err.find(part).is_some());
    nothing_has_happened(&mut master, &target);
}

/// Handshakes that never end hold up nobody.
#[test]
fn who_never_ends_a_handshake_is_in_nobodys_way() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let certs = Certs::made(&swarm, "certs");
    let master = master(&swarm, &target, &text(&certs.master()));
    let silent = [(); 200].map(|()| {
        let mut stream = TcpStream::connect(master.address()).expect("it listens");
        // The beginning of a record, and no more.
        std::io::Write::write_all(&mut stream, &[22, 3, 1]).expect("it reads");
        stream
    });
    let _worker = worker(&swarm, &master, &text(&certs.worker()));
    runs_users(&master, &target);
    drop(silent);
}

#[test]
fn files_that_cannot_be_used() {
    let swarm = Swarm::new();
    crate::guests::Guest::visiting(&["/"]).write(&swarm, "sound");
    let (one, two) = (Certs::made(&swarm, "one"), Certs::made(&swarm, "two"));
    let [cert, key, other_key, ca] = [
        one.file("master.pem"),
        one.file("master-key.pem"),
        two.file("master-key.pem"),
        one.file("ca.pem"),
    ];
    let garbage = swarm.file("garbage", b"-----BEGIN CERTIFICATE-----\n!\n");
    let garbage = path(&garbage);
    let bad: [(&[&str], &[&str]); 6] = [
        (&["--tls-cert", "no", "--tls-key", &key], &["--tls-cert", "no", "No such file"]),
        (&["--tls-cert", &cert, "--tls-key", "no"], &["--tls-key", "no", "No such file"]),
        (&["--tls-cert", &cert, "--tls-key", &other_key], &["does not belong", &cert, &other_key]),
        (&["--tls-cert", &key, "--tls-key", &key], &["no certificate", "master-key.pem"]),
        (&["--tls-cert", &cert, "--tls-key", &cert], &["no private key", "master.pem"]),
        (&["--tls-cert", garbage, "--tls-key", &key], &["--tls-cert", "garbage"]),
    ];
    for (flags, parts) in bad {
        refused(&swarm, &[&["master", "sound.wasm"], flags].concat(), SETTINGS, parts);
        let trusting = [&["worker", "--tls-ca", &ca], flags].concat();
        refused(&swarm, &trusting, SETTINGS, parts);
    }
    for ca in ["no", garbage, key.as_str()] {
        refused(&swarm, &["worker", "--tls-ca", ca], SETTINGS, &["--tls-ca", ca]);
    }
    // One without the other.
    refused(&swarm, &["worker", "--tls-cert", &cert], USAGE, &["--tls-key"]);
    refused(&swarm, &["master", "sound.wasm", "--tls-ca", &ca], USAGE, &["--tls-cert"]);
    let alone = ["worker", "--tls-cert", &cert, "--tls-key", &key];
    refused(&swarm, &alone, SETTINGS, &["--tls-ca"]);
    let named = ["worker", "--tls-ca", &ca, "--master-host", "not a name"];
    refused(&swarm, &named, USAGE, &["not a name"]);
}

#[test]
fn certificates_are_never_overwritten_by_accident() {
    use std::os::unix::fs::PermissionsExt;
    let swarm = Swarm::new();
    let certs = Certs::made(&swarm, "certs");
    let before = std::fs::read(certs.file("ca.pem")).expect("it was made");
    for key in ["ca-key.pem", "master-key.pem", "worker-key.pem"] {
        let mode = std::fs::metadata(certs.file(key)).expect("it was made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let again = ["certs", "--out", "certs", "--master-host", "localhost"];
    refused(&swarm, &again, OUTPUT, &["ca.pem", "is there already", "--force"]);
    assert_eq!(std::fs::read(certs.file("ca.pem")).expect("it is there"), before);
    let (status, process) = swarm.finished(&[&again[..], &["--force"]].concat());
    assert!(status.success(), "{}", process.err.text());
    let said = process.out.text();
    assert!(said.contains("swarm master") && said.contains("swarm worker"), "{said}");
    assert_ne!(std::fs::read(certs.file("ca.pem")).expect("it is there"), before);
    let bad = ["certs", "--out", "other", "--master-host", "http://localhost:5557"];
    refused(&swarm, &bad, SETTINGS, &["--master-host", "http://localhost:5557"]);
}
