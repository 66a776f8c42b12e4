//! Requests a second and CPU time per request against a server that is already running.
//!
//! ```text
//! cargo run --release -p swarm-client --example throughput -- http://127.0.0.1:8080/ 64 5
//! ```
//! Arguments: URL (loopback only, any certificate), connections (64), seconds (5). One thread; each
//! connection is a session of its own that sends one request after the other and counts the bytes
//! of the answers. Compare with `wrk -t1 -c64` in the same minutes.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_client::{AllowList, BaseUrl, ClientConfig, Request, Session, Shared};
use tokio::task::LocalSet;

type Failure = Box<dyn std::error::Error>;

/// What the sessions did.
#[derive(Default)]
struct Totals {
    requests: Cell<u64>,
    bytes: Cell<u64>,
    errors: Cell<u64>,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: throughput URL [CONNECTIONS] [SECONDS]")?;
    let connections: u32 = arguments.next().map_or(Ok(64), |n| n.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |n| n.parse())?;
    let base: BaseUrl = url.parse()?;
    let loopback = ["http://127.", "https://127.", "http://[::1]", "https://[::1]"];
    if !loopback.iter().any(|prefix| base.to_string().starts_with(prefix)) {
        return Err("only a server on loopback".into());
    }
    let mut allowed = AllowList::default();
    allowed.target(&base);
    let config = ClientConfig { insecure: true, ..ClientConfig::default() };
    let shared = Shared::new(config, allowed)?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let totals = Rc::new(Totals::default());
    let (cpu_before, begun) = (cpu_ticks()?, Instant::now());
    let end = begun + Duration::from_secs(seconds);
    let local = LocalSet::new();
    for _ in 0..connections {
        let session = Session::new(Arc::clone(&shared), Some(base.clone()));
        local.spawn_local(drive(session, Rc::clone(&totals), end));
    }
    runtime.block_on(local);
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu_after = cpu_ticks()?;
    let requests = totals.requests.get();
    println!("requests    {requests}, errors {}", totals.errors.get());
    println!("per second  {:.0}", requests as f64 / elapsed);
    println!("body bytes  {}", totals.bytes.get());
    let micros = |ticks: u64| ticks as f64 * TICK_MICROS / requests.max(1) as f64;
    let (user, system) = (cpu_after.0 - cpu_before.0, cpu_after.1 - cpu_before.1);
    println!("CPU each    {:.2} µs user + {:.2} µs system", micros(user), micros(system));
    Ok(())
}

async fn drive(session: Session, totals: Rc<Totals>, end: Instant) {
    // `Instant::now` once a request: the response tells how long it took.
    while Instant::now() < end {
        match session.send(Request { keep_body: false, ..Request::get("") }).await {
            Ok(response) => {
                totals.requests.set(totals.requests.get() + 1);
                totals.bytes.set(totals.bytes.get() + response.body_bytes);
            }
            Err(error) => {
                if totals.errors.replace(totals.errors.get() + 1) == 0 {
                    eprintln!("first error: {error}");
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// A clock tick of `/proc`, 100 a second on every Linux in use.
const TICK_MICROS: f64 = 10_000.0;

/// User and system time of this process, in ticks.
fn cpu_ticks() -> Result<(u64, u64), Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("no name")?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut next = || fields.next().ok_or("short /proc/self/stat");
    Ok((next()?.parse()?, next()?.parse()?))
}
