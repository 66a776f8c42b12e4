//! How long `swarm run` takes from the start of its process to its first request, with the compiled
//! module in the cache and without. Prints Markdown, and judges nothing.
//!
//! `cargo run --release -p swarm-tests --example start [ROUNDS]`

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use swarm_tests::{Process, Swarm, scenario};

/// Rounds unless told otherwise.
const ROUNDS: usize = 9;

fn main() {
    let rounds = std::env::args().nth(1).map_or(ROUNDS, |text| {
        text.parse().unwrap_or_else(|_| panic!("not a number of rounds: {text}"))
    });
    let path = scenario("website").display().to_string();
    println!("| scenario | cache | median ms | least ms | most ms |\n|---|---|---|---|---|");
    for (name, path) in [("website.wasm", Some(path.as_str())), ("embedded", None)] {
        // Each round has a cache of its own, which the second start finds filled.
        let times: Vec<_> = (0..rounds)
            .map(|_| {
                let swarm = Swarm::new();
                (first_request(&swarm, path), first_request(&swarm, path))
            })
            .collect();
        row(name, "empty", times.iter().map(|(cold, _)| *cold).collect());
        row(name, "filled", times.iter().map(|(_, cached)| *cached).collect());
    }
}

/// From the start of the process until the first byte of a request is there.
fn first_request(swarm: &Swarm, scenario: Option<&str>) -> Duration {
    let target = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let url = format!("http://{}", target.local_addr().expect("it is bound"));
    let mut arguments = vec!["run"];
    arguments.extend(scenario);
    arguments.extend(["--headless", "-u", "1", "-r", "1", "-t", "5s", "--host", &url]);
    let mut command = swarm.command(&arguments);
    command.env("SWARM_CACHE_DIR", swarm.folder().join("cache-of-this-round"));
    let begin = Instant::now();
    let process = Process::spawn("run", command);
    let (mut stream, _) = target.accept().expect("the run connects");
    let read = stream.read(&mut [0; 4096]).expect("the run sends a request");
    let elapsed = begin.elapsed();
    assert!(read > 0, "the run sends a request");
    // Nobody reads what comes back: the run is killed now.
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    drop(process);
    elapsed
}

fn row(scenario: &str, cache: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |at: usize| times[at].as_secs_f64() * 1_000.0;
    let (median, last) = (times.len() / 2, times.len() - 1);
    println!("| {scenario} | {cache} | {:.0} | {:.0} | {:.0} |", ms(median), ms(0), ms(last));
}
