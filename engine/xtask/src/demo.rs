//! Builds from source, and starts a server and a load test against it.

use crate::children::{Child, Interrupt};
use crate::program::READY_LIMIT;
use crate::repository::Repository;
use crate::{ports, process, program, scenarios};
use anyhow::{Result, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const SCENARIO: &str = "website";
const TARGET_PORT: u16 = 8080;
const WEB_PORT: u16 = 8089;

/// How often the demo looks whether it is over.
const POLL: Duration = Duration::from_millis(100);

/// Runs the demo until it is interrupted.
pub(crate) fn command(repository: &Repository, arguments: &[String]) -> Result<()> {
    let web_port = web_port(arguments)?;
    // Before anything is built: else it would fail minutes later.
    if !ports::is_free(web_port) {
        bail!(
            "port {web_port} is taken; choose another one for the page: \
             cargo xtask demo --web-port PORT"
        );
    }
    scenarios::build_one(repository, SCENARIO)?;
    program::build(repository)?;

    let interrupt = Interrupt::listen()?;
    let (mut target, address) = start_target(repository, &interrupt)?;
    let mut swarm = process::command(repository.swarm(), repository.root());
    swarm
        .arg("run")
        .arg(repository.component(SCENARIO))
        .args(["--host", &format!("http://{address}")])
        .args(["--web-port", &web_port.to_string()]);
    eprintln!("$ {}", process::line(&swarm));
    let mut swarm = Child::start(&mut swarm)?;

    let outcome = wait_for_page(&mut swarm, web_port, &interrupt).and_then(|ready| {
        if ready {
            explain(repository, address, web_port);
        }
        wait_for_end(&mut swarm, &mut target, &interrupt)
    });
    // The load first: it must not see its target go.
    let ended = swarm.end(&interrupt).and(target.end(&interrupt));
    outcome.and(ended)
}

fn explain(repository: &Repository, target: SocketAddr, web_port: u16) {
    println!();
    println!("  The page:    http://127.0.0.1:{web_port}");
    println!("  Its target:  http://{target}");
    println!();
    println!("  Open the page, say how many users there are to be, and start the test.");
    println!("  Scenario:    {}", repository.path("scenarios").join(SCENARIO).display());
    println!("  Ctrl-C ends the demo.");
    println!();
}

fn web_port(arguments: &[String]) -> Result<u16> {
    let port = match arguments {
        [] => return Ok(WEB_PORT),
        [flag, port] if flag == "--web-port" => port,
        [flag] if flag.starts_with("--web-port=") => &flag["--web-port=".len()..],
        _ => bail!("usage: cargo xtask demo [--web-port PORT]"),
    };
    match port.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => bail!("`{port}` is no port: --web-port takes a number from 1 to 65535"),
    }
}

fn start_target(repository: &Repository, interrupt: &Interrupt) -> Result<(Child, SocketAddr)> {
    let mut port = TARGET_PORT;
    if !ports::is_free(port) {
        [port] = ports::free()?;
        eprintln!("port {TARGET_PORT} is taken: the target listens on {port}");
    }
    let mut command = process::command(repository.swarm(), repository.root());
    command.args(["target", "--port", &port.to_string()]);
    eprintln!("$ {}", process::line(&command));
    program::start_target(&mut command, interrupt)
}

/// Waits until the port of swarm's page answers; false if it is over before.
fn wait_for_page(swarm: &mut Child, port: u16, interrupt: &Interrupt) -> Result<bool> {
    let begun = Instant::now();
    loop {
        if interrupt.came() || swarm.is_over()? {
            return Ok(false);
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(true);
        }
        if begun.elapsed() > READY_LIMIT {
            bail!("there is no page on port {port} after {} s", READY_LIMIT.as_secs());
        }
        std::thread::sleep(POLL);
    }
}

/// Waits for an interrupt, or for either program to end by itself.
fn wait_for_end(swarm: &mut Child, target: &mut Child, interrupt: &Interrupt) -> Result<()> {
    while !interrupt.came() {
        if swarm.is_over()? {
            return Ok(());
        }
        if target.is_over()? {
            bail!("the target ended by itself");
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port_of(arguments: &[&str]) -> Result<u16> {
        web_port(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn the_port_of_the_page_can_be_chosen() {
        assert_eq!(port_of(&[]).unwrap(), WEB_PORT);
        assert_eq!(port_of(&["--web-port", "9000"]).unwrap(), 9000);
        assert_eq!(port_of(&["--web-port=9000"]).unwrap(), 9000);
        for wrong in [&["--web-port"][..], &["--web-port", "0"], &["--web-port=x"], &["--users"]] {
            assert!(port_of(wrong).is_err(), "{wrong:?}");
        }
    }
}
