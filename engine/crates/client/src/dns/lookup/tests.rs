//! With files of the test's own, and a server that hangs.

use std::fs;

use tempfile::TempDir;

use super::*;

struct Files {
    folder: TempDir,
    port: u16,
}

impl Files {
    fn new(nsswitch: &str, hosts: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
        write("nsswitch", nsswitch).expect("written");
        write("hosts", hosts).expect("written");
        write("resolv", "nameserver 127.0.0.1\n").expect("written");
        Self { folder, port: 9 }
    }

    fn system(&self) -> System {
        let path = |name| self.folder.path().join(name);
        let [nsswitch, hosts, resolv] = ["nsswitch", "hosts", "resolv"].map(path);
        System {
            nsswitch,
            hosts,
            resolv,
            port: self.port,
            is_special: false,
            silent: Silent::default(),
        }
    }
}

fn addresses(found: Result<(Preferred, Duration), Unresolved>) -> Vec<String> {
    let (preferred, _) = found.expect("found");
    preferred.addresses.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn files_answer_before_dns_is_asked() {
    let files = Files::new("hosts: files dns", "127.0.0.2 shop.test\n127.0.0.3 shop.test\n");
    let found = files.system().look_up("shop.test").await;
    // No other family is looked for elsewhere.
    assert_eq!(addresses(found), ["127.0.0.2", "127.0.0.3"]);
    fs::write(files.folder.path().join("hosts"), "127.0.0.4 shop.test").expect("written");
    assert_eq!(addresses(files.system().look_up("shop.test").await), ["127.0.0.4"]);
}

#[tokio::test]
async fn this_machine_is_known_without_a_file() {
    let files = Files::new("hosts: files dns", "");
    let found = addresses(files.system().look_up("localhost").await);
    assert!(found.contains(&"127.0.0.1".to_owned()), "{found:?}");
    let files = Files::new("hosts: files dns", "127.0.0.7 localhost\n");
    assert_eq!(addresses(files.system().look_up("localhost").await), ["127.0.0.7"]);
}

#[tokio::test]
async fn without_dns_only_files_count() {
    let files = Files::new("hosts: files", "127.0.0.2 shop.test\n");
    assert_eq!(addresses(files.system().look_up("shop.test").await), ["127.0.0.2"]);
    let error = files.system().look_up("other.test").await.expect_err("nowhere");
    assert_eq!(error, Unresolved("no such name".into()));
}

#[tokio::test]
async fn what_only_the_c_library_knows_is_left_to_it() {
    // Its files are the machine's own: this name is not in those of the test.
    let files = Files::new("hosts: somewhere", "");
    let found = addresses(files.system().look_up("localhost").await);
    assert!(!found.is_empty(), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_given_five_seconds() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let mut files = Files::new("hosts: files dns", "");
    files.port = silent.local_addr().expect("it is bound").port();
    let start = tokio::time::Instant::now();
    let error = files.system().look_up("shop.test").await.expect_err("silence");
    assert_eq!(error, Unresolved("no answer from the resolver within 5 s".into()));
    assert_eq!(start.elapsed().as_secs(), LOOKUP_MAX.as_secs());
}
