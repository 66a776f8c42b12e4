//! What is known when a test has ended, and the bars.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::{Tool, WORKERS};
use crate::fault::Fault;
use crate::happen::{Episode, band};
use crate::page::Look;
use crate::run::users_of;
use crate::series::{Point, extremes, fastest_second, longest, settled};

/// More users than this part above the target may not be there longer than that.
const OVER_PARTS: u64 = 100;
const OVER_MAX: Duration = Duration::from_secs(1);
/// How much of a killed worker's work may be lost with it: what it has not reported, each second,
/// and what was on its way.
const LOST_S_MAX: f64 = 1.1;

/// A test that has ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) fault: Fault,
    pub(crate) tool: Tool,
    /// Users of the whole test.
    pub(crate) users: u64,
    /// Requests a second before anything happened.
    pub(crate) usual: f64,
    pub(crate) episodes: Vec<Episode>,
    /// Of each episode.
    pub(crate) figures: Vec<Figures>,
    /// Requests by path, as the target has counted them.
    pub(crate) received: BTreeMap<String, u64>,
    pub(crate) reported: Reported,
    /// The master's exit code.
    pub(crate) code: Option<i32>,
}

/// What the tool says of the test.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    /// Requests by path, failed ones included.
    pub(crate) paths: BTreeMap<String, u64>,
    pub(crate) failures: u64,
    /// Requests that were cut off; in no other figure.
    pub(crate) interrupted: u64,
    /// Workers that are told to be lost, and what with them.
    pub(crate) lost: BTreeMap<String, String>,
}

/// What the watch saw of a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// All users are there, by the target: since the beginning, while the fault lasts.
    pub(crate) back: Option<Duration>,
    /// The same by the page.
    pub(crate) back_page: Option<Duration>,
    /// It lasts longer than anybody may take to be back.
    pub(crate) lasts: bool,
    /// All users are there, by the target: since the end. Zero for a fault that does not last.
    pub(crate) back_after: Option<Duration>,
    /// The page shows all users evenly on all workers: since the end.
    pub(crate) even: Option<Duration>,
    pub(crate) fewest: u64,
    pub(crate) most: u64,
    /// The longest time with less than 99 % of the users, and with more than 101 %.
    pub(crate) under: Duration,
    pub(crate) over: Duration,
    /// Requests at the target within the busiest second, in parts of the usual.
    pub(crate) busiest: f64,
}

impl Figures {
    pub(crate) fn of(
        episode: &Episode,
        users: u64,
        seen: &[Point],
        requests: &[Point],
        pages: &[(Duration, Look)],
        usual: f64,
    ) -> Self {
        let Episode { begin, end, until, .. } = *episode;
        // What is over soon has no time of its own in which anybody could be back.
        let lasts = end - begin > episode.fault.back_max();
        let during = begin..if lasts { end } else { until };
        let even = |look: &Look| u64::from(look.is_even(users, episode.workers));
        let evenness: Vec<Point> =
            pages.iter().map(|(at, look)| Point { at: *at, value: even(look) }).collect();
        let (fewest, most) = extremes(seen, begin..until).unwrap_or_default();
        let slack = users / OVER_PARTS;
        Self {
            back: settled(seen, during.clone(), &band(users)),
            back_page: settled(&users_of(pages), during, &band(users)),
            lasts,
            back_after: match lasts {
                true => settled(seen, end..until, &band(users)),
                false => Some(Duration::ZERO),
            },
            even: settled(&evenness, end..until, &(1..=1)),
            fewest,
            most,
            under: longest(seen, begin..until, |n| n < users - slack),
            over: longest(seen, begin..until, |n| n > users + slack),
            busiest: fastest_second(requests, begin..until).unwrap_or_default() / usual,
        }
    }
}

impl Outcome {
    /// Requests that the target has received and nobody has reported.
    pub(crate) fn missing(&self) -> u64 {
        beyond(&self.received, &self.reported.paths)
    }

    /// Requests that were reported and that the target has not received.
    pub(crate) fn excess(&self) -> u64 {
        beyond(&self.reported.paths, &self.received)
    }

    /// The bars that were missed. Nothing is wanted of others than swarm.
    pub(crate) fn missed(&self) -> Vec<String> {
        if self.tool != Tool::Swarm {
            return Vec::new();
        }
        let mut missed = Vec::new();
        for (episode, figures) in self.episodes.iter().zip(&self.figures) {
            let of = format!("{} of w{}", episode.fault.name(), episode.victim);
            missed.extend(figures.missed(episode).into_iter().map(|what| format!("{of}: {what}")));
        }
        missed.extend(self.samples_missed());
        missed.extend(self.told_wrongly());
        missed
    }

    fn samples_missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let killed = self.killed().len() as f64;
        let a_second = self.usual / WORKERS as f64;
        let excused = (killed * a_second * LOST_S_MAX).ceil();
        // A request that was cut off is told; whether the target got it, nobody can know.
        let told = self.reported.interrupted;
        if self.missing().saturating_sub(told) as f64 > excused {
            let missing = self.missing();
            missed.push(format!("{missing} requests are missing, {excused} may, {told} are told"));
        }
        let (excess, failures) = (self.excess(), self.reported.failures);
        if excess > failures {
            missed.push(format!("{excess} requests too many, {failures} failures"));
        }
        missed
    }

    /// A loss has to be told, and nothing else.
    fn told_wrongly(&self) -> Option<String> {
        let killed = self.killed();
        let lost: Vec<_> = self.reported.lost.keys().cloned().collect();
        let wanted = match (killed.is_empty(), self.reported.failures) {
            (false, _) => 9,
            (true, 0) => 0,
            (true, _) => 1,
        };
        let right = lost == killed && self.code == Some(wanted);
        (!right).then(|| {
            let (code, details) = (self.code, &self.reported.lost);
            format!("exit code {code:?} and lost {details:?}, not {wanted} and {killed:?}")
        })
    }

    /// Names of the workers whose last samples are lost, sorted.
    fn killed(&self) -> Vec<String> {
        let killed = self.episodes.iter().filter(|episode| episode.fault.loses_samples());
        let mut killed: Vec<_> = killed.map(|episode| format!("w{}", episode.victim)).collect();
        killed.sort();
        killed.dedup();
        killed
    }
}

impl Figures {
    fn missed(&self, episode: &Episode) -> Vec<String> {
        let mut missed: Vec<String> = episode.problem.iter().cloned().collect();
        let most = episode.fault.back_max();
        for (since, back) in [("beginning", self.back), ("end", self.back_after)] {
            if back.is_none_or(|back| back > most) {
                missed.push(format!("back {back:?} after its {since}, at most {most:?}"));
            }
        }
        if self.over > OVER_MAX {
            missed.push(format!("more than 1 % too many users for {:?}", self.over));
        }
        missed
    }

    /// The worst of each.
    pub(crate) fn worst(all: &[Self]) -> Option<Self> {
        // `None` is never, which is worse than any time.
        let later = |a: Option<Duration>, b: Option<Duration>| a.zip(b).map(|(a, b)| a.max(b));
        all.iter().copied().reduce(|a, b| Self {
            back: later(a.back, b.back),
            back_page: later(a.back_page, b.back_page),
            lasts: a.lasts || b.lasts,
            back_after: later(a.back_after, b.back_after),
            even: later(a.even, b.even),
            fewest: a.fewest.min(b.fewest),
            most: a.most.max(b.most),
            under: a.under.max(b.under),
            over: a.over.max(b.over),
            busiest: a.busiest.max(b.busiest),
        })
    }
}

/// By how much the counts of one are above those of the other.
fn beyond(one: &BTreeMap<String, u64>, other: &BTreeMap<String, u64>) -> u64 {
    let less = |path: &String| other.get(path).copied().unwrap_or(0);
    one.iter().map(|(path, count)| count.saturating_sub(less(path))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(fault: Fault, received: u64, reported: Reported, code: i32) -> Outcome {
        let second = Duration::from_secs(1);
        let episode = Episode {
            fault,
            victim: 3,
            begin: second,
            end: second,
            until: second * 20,
            workers: WORKERS,
            problem: None,
        };
        let figures = Figures {
            back: Some(second),
            back_page: Some(second),
            lasts: true,
            back_after: Some(second),
            even: Some(second),
            fewest: 700,
            most: 801,
            under: second,
            over: Duration::ZERO,
            busiest: 1.0,
        };
        Outcome {
            fault,
            tool: Tool::Swarm,
            users: 800,
            usual: 266.7,
            episodes: vec![episode],
            figures: vec![figures],
            received: BTreeMap::from([("/".to_owned(), received)]),
            reported,
            code: Some(code),
        }
    }

    fn reported(count: u64, lost: &[&str]) -> Reported {
        let lost = lost.iter().map(|id| ((*id).to_owned(), String::new()));
        Reported {
            paths: BTreeMap::from([("/".to_owned(), count)]),
            lost: lost.collect(),
            ..Reported::default()
        }
    }

    #[test]
    fn only_a_killed_worker_may_lose_its_last_second_and_it_has_to_be_told() {
        let missed = |fault, received, reported, code| {
            outcome(fault, received, reported, code).missed().join("; ")
        };
        assert_eq!(missed(Fault::Kill, 1000, reported(964, &["w3"]), 9), "");
        assert!(missed(Fault::Kill, 1000, reported(900, &["w3"]), 9).contains("100 requests"));
        assert!(missed(Fault::Kill, 1000, reported(999, &[]), 0).contains("exit code Some(0)"));
        assert_eq!(missed(Fault::Freeze, 1000, reported(1000, &[]), 0), "");
        assert!(missed(Fault::Freeze, 1000, reported(999, &[]), 0).contains("1 requests are"));
        assert!(missed(Fault::Freeze, 1000, reported(1001, &[]), 0).contains("1 requests too"));
        assert!(missed(Fault::Freeze, 1000, reported(1000, &["w3"]), 9).contains("lost"));
        let cut_off = Reported { interrupted: 2, ..reported(998, &[]) };
        assert_eq!(missed(Fault::Cables, 1000, cut_off, 0), "");
    }

    #[test]
    fn users_have_to_be_back_and_never_too_many() {
        let mut one = outcome(Fault::Kill, 1, reported(1, &["w3"]), 9);
        one.figures[0].back = Some(Duration::from_secs(6));
        one.figures[0].over = Duration::from_millis(1100);
        assert_eq!(one.missed().len(), 2);
        one.figures[0].back = None;
        assert_eq!(one.missed().len(), 2);
        one.tool = Tool::Locust;
        assert_eq!(one.missed().len(), 0);
    }
}
