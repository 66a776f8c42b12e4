//! nginx as a target: it answers all tools the same and counts what it answers.

use crate::children::{Child, Interrupt};
use crate::repository::Repository;
use crate::setup::needs;
use crate::{folder, ports, process};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long it may take to listen.
const READY_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to say its counts.
const COUNTS_LIMIT: Duration = Duration::from_secs(10);
/// How often it is asked whether it listens.
const POLL: Duration = Duration::from_millis(20);

/// 105 bytes, as a small answer of an API has.
const BODY: &str = concat!(
    r#"{\"ok\":true,\"id\":12345,\"name\":\"benchmark\","#,
    r#"\"items\":[1,2,3,4,5,6,7,8,9],\"pad\":\"xxxxxxxxxxxxxxxxxxxxxxxxxx\"}\n"#,
);

/// A server on loopback.
pub(crate) struct Server {
    child: Child,
    plain: u16,
    tls: u16,
    status: u16,
}

/// What it has counted since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Open connections, the one that asks included.
    pub(crate) connections: u64,
    /// Requests, the one that asks included.
    pub(crate) requests: u64,
}

impl Server {
    /// Starts it with so many processes on these cores, as `taskset` writes them. One process is
    /// all there is of it then; of several, [`Server::id`] is one that answers nothing.
    pub(crate) fn start(repository: &Repository, cores: &str, workers: u32) -> Result<Self> {
        let nginx = nginx(repository)?;
        let folder = repository.path("target/nginx");
        folder::make(&folder)?;
        certificate(repository, &folder)?;
        let [plain, tls, status] = ports::free()?;
        let config = config(&folder, plain, tls, status, workers);
        fs::write(folder.join("nginx.conf"), config).context("failed to write nginx.conf")?;
        let mut command = process::command("taskset", &folder);
        command.args(["--cpu-list", cores]).arg(nginx).arg("-p").arg(&folder);
        command.args(["-c", "nginx.conf", "-e", "error.log"]);
        let child = Child::start(&mut command)?;
        let mut server = Self { child, plain, tls, status };
        server.wait_until_ready(&folder)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, folder: &Path) -> Result<()> {
        let begun = Instant::now();
        while self.counts().is_err() {
            if self.child.is_over()? || begun.elapsed() > READY_LIMIT {
                bail!("nginx does not answer; {}/error.log says why", folder.display());
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Where it answers.
    pub(crate) fn url(&self, tls: bool) -> String {
        if tls {
            format!("https://127.0.0.1:{}", self.tls)
        } else {
            format!("http://127.0.0.1:{}", self.plain)
        }
    }

    /// Its own count.
    pub(crate) fn counts(&self) -> Result<Counts> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.status))
            .context("failed to connect to nginx")?;
        stream.set_read_timeout(Some(COUNTS_LIMIT)).context("failed to set a time limit")?;
        let mut answer = String::new();
        stream
            .write_all(b"GET / HTTP/1.0\r\n\r\n")
            .and_then(|()| stream.read_to_string(&mut answer))
            .context("failed to ask nginx for its counts")?;
        parse_counts(&answer).with_context(|| format!("nginx does not say its counts: {answer}"))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it.
    pub(crate) fn end(mut self, interrupt: &Interrupt) -> Result<()> {
        self.child.end(interrupt)
    }
}

/// The program, installed if need be.
fn nginx(repository: &Repository) -> Result<PathBuf> {
    needs::meet(repository, &[&needs::NGINX])?;
    process::find("nginx").context("nginx is gone again")
}

/// A key and a certificate for 127.0.0.1, signed by itself.
fn certificate(repository: &Repository, folder: &Path) -> Result<()> {
    if folder.join("cert.pem").is_file() {
        return Ok(());
    }
    needs::meet(repository, &[&needs::OPENSSL])?;
    let mut openssl = process::command("openssl", folder);
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args(["-days", "3650", "-subj", "/CN=127.0.0.1", "-addext"]);
    openssl.args(["subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]);
    process::quiet(&mut openssl)
}

/// No log, no end of a connection, one cipher: what TLS costs must not depend on who asks.
fn config(folder: &Path, plain: u16, tls: u16, status: u16, workers: u32) -> String {
    let folder = folder.display();
    let processes = if workers == 1 {
        "master_process off;".to_owned()
    } else {
        format!("worker_processes {workers};")
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {folder}/temporary;\n"))
        .concat();
    format!(
        r#"daemon off;
{processes}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 20000;
events {{ worker_connections 19900; use epoll; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  tcp_nodelay on;
  default_type application/json;
{temporary}  server {{
    listen 127.0.0.1:{plain} backlog=4096 reuseport;
    listen 127.0.0.1:{tls} backlog=4096 reuseport ssl;
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;
    location / {{ return 200 "{BODY}"; }}
  }}
  server {{
    listen 127.0.0.1:{status};
    location / {{ stub_status; }}
  }}
}}
"#
    )
}

/// The first line ends with the open connections, the third with the requests.
fn parse_counts(answer: &str) -> Option<Counts> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then_some(())?;
    let mut lines = body.lines();
    let mut last = |skipped| lines.nth(skipped)?.split_whitespace().last()?.parse().ok();
    Some(Counts { connections: last(0)?, requests: last(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_nginx_writes_them() {
        let answer = "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nActive connections: 65 \n\
                      server accepts handled requests\n 70 70 123456 \n\
                      Reading: 0 Writing: 65 Waiting: 0 \n";
        let counts = Counts { connections: 65, requests: 123_456 };
        assert_eq!(parse_counts(answer), Some(counts));
        assert_eq!(parse_counts("HTTP/1.1 404 Not Found\r\n\r\nActive connections: 1"), None);
    }

    #[test]
    fn the_configuration_names_all_ports() {
        let config = config(Path::new("/f"), 1001, 1002, 1003, 1);
        for text in ["127.0.0.1:1001 ", "127.0.0.1:1002 ", "127.0.0.1:1003;", "/f/cert.pem"] {
            assert!(config.contains(text), "{text}");
        }
    }
}
