//! Waiting for the workers that a test which starts by itself needs, and saying so.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;
use swarm_web::view::{Control, View, WorkerPhase};
use tokio::time::{interval, sleep};

use super::wait_for;
use crate::exit::{Exit, Failure};

/// How often it is said what is awaited.
const SAID_INTERVAL: Duration = Duration::from_secs(5);

/// When a test that starts by itself starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) workers: u32,
    /// 0 waits for ever.
    pub(crate) max_wait: Duration,
    /// Where workers connect to; `None` when they are in this process.
    pub(crate) address: Option<SocketAddr>,
}

impl Expected {
    /// Waits for the workers.
    pub(super) async fn wait(&self, control: &Control) -> Result<(), Failure> {
        let wanted = self.workers as usize;
        let too_late = async {
            match self.max_wait.is_zero() {
                true => std::future::pending().await,
                false => sleep(self.max_wait).await,
            }
        };
        tokio::select! {
            biased;
            () = wait_for(control, |view| able(view) >= wanted) => Ok(()),
            () = too_late => {
                let came = able(&control.view.borrow());
                let waited = self.max_wait.as_secs_f32();
                let error = anyhow!(
                    "{came} of {wanted} expected workers were ready after {waited} s \
                     (--expect-workers, --expect-workers-max-wait)"
                );
                Err(Failure::new(Exit::WorkersMissing, error))
            }
            () = self.say(control) => Ok(()),
        }
    }

    /// Says what is awaited, again and again.
    async fn say(&self, control: &Control) {
        let Some(address) = self.address else { return std::future::pending().await };
        let mut ticks = interval(SAID_INTERVAL);
        // The first is at once, when nobody can have come yet.
        ticks.tick().await;
        tracing::info!("{}", text(&control.view.borrow(), self.workers, address));
        loop {
            ticks.tick().await;
            tracing::info!("{}", text(&control.view.borrow(), self.workers, address));
        }
    }
}

fn able(view: &View) -> usize {
    view.workers.iter().filter(|worker| worker.state.is_able()).count()
}

/// What is awaited, and what is known of those that are not ready.
fn text(view: &View, wanted: u32, address: SocketAddr) -> String {
    let able = able(view);
    let mut text = format!("waiting for workers: {able} of {wanted} ready (--expect-workers)");
    let preparing = view.workers.iter().filter(|worker| worker.state == WorkerPhase::Preparing);
    for worker in preparing {
        text += &match (&worker.problem, worker.module_percent) {
            (Some(problem), _) => format!("; {} cannot run the scenario: {problem}", worker.id),
            (None, Some(percent)) => format!("; {} has {percent} % of the scenario", worker.id),
            (None, None) => format!("; {} prepares the scenario", worker.id),
        };
    }
    if view.workers.is_empty() {
        text += &format!("; they connect to {address}, such as `{}`", command(address));
    }
    text
}

/// What starts a worker for a master at an address.
fn command(address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => "MASTER".to_owned(),
        ip => ip.to_string(),
    };
    format!("swarm worker --master-host {host} --master-port {}", address.port())
}

#[cfg(test)]
mod tests {
    use swarm_web::view::WorkerView;

    use super::*;

    fn worker(id: &str, state: WorkerPhase) -> WorkerView {
        WorkerView {
            id: id.to_owned(),
            index: 0,
            state,
            module_percent: None,
            user_count: 0,
            in_flight: 0,
            cpu_usage: 0.0,
            memory_usage: 0,
            lateness_ms: None,
            problem: None,
        }
    }

    #[test]
    fn it_says_what_is_awaited_and_how_to_help() {
        let mut view = View::default();
        let address = "127.0.0.1:5557".parse().unwrap();
        assert_eq!(
            text(&view, 1, address),
            "waiting for workers: 0 of 1 ready (--expect-workers); they connect to \
             127.0.0.1:5557, such as `swarm worker --master-host 127.0.0.1 --master-port 5557`"
        );
        assert!(text(&view, 1, "[::]:1".parse().unwrap()).contains("--master-host MASTER "));
        let fetching =
            WorkerView { module_percent: Some(45), ..worker("a", WorkerPhase::Preparing) };
        let broken =
            WorkerView { problem: Some("no memory".into()), ..worker("b", WorkerPhase::Preparing) };
        view.workers =
            vec![fetching, broken, worker("c", WorkerPhase::Ready), worker("d", WorkerPhase::Lost)];
        assert_eq!(
            text(&view, 3, address),
            "waiting for workers: 1 of 3 ready (--expect-workers); a has 45 % of the scenario; b \
             cannot run the scenario: no memory"
        );
    }
}
