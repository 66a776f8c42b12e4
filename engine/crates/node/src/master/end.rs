//! The end of a test: what its reader must be told beside the figures.

use std::collections::BTreeSet;

use swarm_core::cluster::worker::Worker;
use swarm_stats::snapshot::Snapshot;

use super::state::State;
use crate::journal::record::Record;

/// Arguments that nobody has asked for and that are named; the others are counted.
const UNREAD_NAMED_MAX: usize = 10;

/// Characters of such a name that are shown.
const NAME_CHARACTERS_MAX: usize = 60;

impl State {
    /// The test has ended, and all samples that will come are there.
    pub(super) fn test_ended(&mut self) {
        self.record(Record::Ended { at_ms: self.now_ms() });
        if self.failing.is_some() {
            // The workers still have what they were not acknowledged.
            self.record(Record::Incomplete);
        }
        tracing::info!("the test has ended");
        // Somebody may wait for it, and would take another interrupt for one that came before it.
        self.stale = true;
        self.judge();
    }

    /// Says what the test has come to, if it has come to nothing, and which arguments were of no
    /// use to it.
    pub(super) fn judge(&mut self) {
        let statistics = self.results.totals.snapshot(self.now_ms());
        self.nothing_answered = nothing_answered(&self.asked(), &statistics);
        if let Some(why) = self.nothing_answered.clone() {
            self.notice(why);
        } else if asks_nothing(&self.asked(), &statistics) {
            self.notice("no user has made a request".to_owned());
        }
        if let Some(text) = self.unread_args(&statistics) {
            self.notice(text);
        }
    }

    /// What the current or last test has asked for.
    pub(super) fn asked(&self) -> Asked {
        let cluster = &self.cluster;
        let problem = |worker: &Worker| {
            let problem = worker.problem()?;
            Some(format!("worker {} cannot run the scenario: {problem}", worker.info().id))
        };
        let workers = cluster.workers();
        Asked {
            users: cluster.load().map_or(0, |load| load.users),
            users_max: cluster.users_max(),
            is_answered: self.results.totals.is_answered(),
            hindrance: workers
                .iter()
                .find_map(problem)
                .or_else(|| workers.is_empty().then(|| "no worker has joined".to_owned())),
        }
    }

    /// A sentence about arguments that no user has asked for. With samples a lost worker may have
    /// taken along that somebody did.
    fn unread_args(&self, statistics: &Snapshot) -> Option<String> {
        let is_lost = self.cluster.workers().iter().any(|worker| worker.lost().is_some());
        if is_lost || self.results.incomplete || !has_run(&self.asked(), statistics) {
            return None;
        }
        let load = self.cluster.load()?;
        unread_args(&load.settings.args, |place| self.results.totals.is_arg_read(place))
    }
}

/// What a test has asked for, beside its statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Users that were to run.
    users: u32,
    /// Most of them that were seen alive at a time.
    users_max: u32,
    /// There was a response of any status, be it before a reset of the statistics.
    is_answered: bool,
    /// Why users could not run, as far as that is known.
    hindrance: Option<String>,
}

/// Has a user run? One that ends at once may never be seen alive, but it leaves something.
fn has_run(asked: &Asked, statistics: &Snapshot) -> bool {
    asked.users_max > 0
        || asked.is_answered
        || statistics.lateness_ms.is_some()
        || statistics.total.num_requests > 0
        || !statistics.exceptions.is_empty()
}

/// Have users run without anything to show for it? That may be as wanted, and is told.
fn asks_nothing(asked: &Asked, statistics: &Snapshot) -> bool {
    let Snapshot { interrupted, unsent, ref total, ref exceptions, ref metrics, .. } = *statistics;
    asked.users > 0
        && !asked.is_answered
        && total.num_requests.max(interrupted).max(unsent) == 0
        && exceptions.is_empty()
        && metrics.is_empty()
}

/// Why a test says nothing about its target, if that is so: no user has run, or none of the
/// requests was answered. A test whose users make no request is none of these.
pub(super) fn nothing_answered(asked: &Asked, statistics: &Snapshot) -> Option<String> {
    if asked.users > 0 && !has_run(asked, statistics) {
        let why = asked.hindrance.as_deref().unwrap_or("the test ended before the first could be");
        return Some(format!("no user was started: {why}"));
    }
    let Snapshot { interrupted, unsent, ref total, ref errors, .. } = *statistics;
    if asked.is_answered || total.num_requests.max(interrupted).max(unsent) == 0 {
        return None;
    }
    let most = errors.iter().max_by_key(|error| error.occurrences);
    let most = most.map_or_else(String::new, |most| format!(" (most often: {})", most.error));
    let parts = [
        (total.num_requests, format!("failed without a response{most}")),
        (interrupted, "cut off while waiting for a response".to_owned()),
        (unsent, "given up while waiting for a connection".to_owned()),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0).enumerate();
    let parts: Vec<_> = parts
        .map(|(at, (count, what))| match (at, count) {
            (0, 1) => format!("1 request {what}"),
            (0, _) => format!("{count} requests {what}"),
            _ => format!("{count} {what}"),
        })
        .collect();
    Some(format!("nothing was answered: {}", parts.join(", ")))
}

/// A sentence about the arguments that `is_read` does not know, by their places.
fn unread_args(args: &[(String, String)], is_read: impl Fn(u32) -> bool) -> Option<String> {
    let read: BTreeSet<_> = (0..)
        .zip(args)
        .filter(|(place, _)| is_read(*place))
        .map(|(_, (name, _))| name.as_str())
        .collect();
    let mut unread: Vec<_> = args.iter().map(|(name, _)| name.as_str()).collect();
    unread.retain(|name| !read.contains(name));
    unread.sort_unstable();
    unread.dedup();
    let shown = |name: &&str| -> String {
        let cut: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
        format!("{cut:?}")
    };
    let named: Vec<_> = unread.iter().take(UNREAD_NAMED_MAX).map(shown).collect();
    let more = match unread.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!unread.is_empty()).then(|| {
        let named = named.join(", ");
        format!("no user asked for what --arg gave: {named}{more}. Are the names right?")
    })
}

#[cfg(test)]
mod tests {
    use swarm_stats::snapshot::{EntrySnapshot, ErrorSnapshot};

    use super::*;

    fn asked(users: u32, users_max: u32) -> Asked {
        Asked { users, users_max, is_answered: false, hindrance: None }
    }

    fn failed(requests: u64, text: &str) -> Snapshot {
        let error = ErrorSnapshot {
            method: "GET".to_owned(),
            name: "/".to_owned(),
            error: text.to_owned(),
            occurrences: requests,
            first_ms: 0,
            last_ms: 0,
        };
        let total = EntrySnapshot { num_requests: requests, ..EntrySnapshot::default() };
        Snapshot { total, errors: vec![error], ..Snapshot::default() }
    }

    #[test]
    fn a_test_without_an_answer_says_where_its_requests_were() {
        let cut_off = Snapshot { interrupted: 5, ..Snapshot::default() };
        let unsent = Snapshot { unsent: 20, ..Snapshot::default() };
        let one = Snapshot { interrupted: 1, ..Snapshot::default() };
        let mixed = Snapshot { interrupted: 1, unsent: 2, ..failed(3, "connection refused") };
        for (statistics, text) in [
            (cut_off, "5 requests cut off while waiting for a response"),
            (one, "1 request cut off while waiting for a response"),
            (unsent, "20 requests given up while waiting for a connection"),
            (
                failed(7, "connection refused"),
                "7 requests failed without a response (most often: connection refused)",
            ),
            (
                mixed,
                "3 requests failed without a response (most often: connection refused), 1 cut off \
                 while waiting for a response, 2 given up while waiting for a connection",
            ),
        ] {
            let expected = format!("nothing was answered: {text}");
            assert_eq!(nothing_answered(&asked(20, 20), &statistics), Some(expected));
            let answered = Asked { is_answered: true, ..asked(20, 20) };
            assert_eq!(nothing_answered(&answered, &statistics), None);
        }
    }

    #[test]
    fn users_that_ask_for_nothing_are_a_test() {
        assert!(asks_nothing(&asked(5, 5), &Snapshot::default()));
        assert!(!asks_nothing(&Asked { is_answered: true, ..asked(5, 5) }, &Snapshot::default()));
        let cut_off = Snapshot { interrupted: 1, ..Snapshot::default() };
        assert!(!asks_nothing(&asked(5, 5), &cut_off));
        assert_eq!(nothing_answered(&asked(5, 5), &Snapshot::default()), None);
        // They have ended before anybody saw them.
        let late = Snapshot { lateness_ms: Some((0.1, 0.1, 0.1)), ..Snapshot::default() };
        assert_eq!(nothing_answered(&asked(5, 0), &late), None);
        assert_eq!(nothing_answered(&asked(0, 0), &Snapshot::default()), None, "none was to run");
        let before_reset = Asked { is_answered: true, ..asked(5, 0) };
        assert_eq!(nothing_answered(&before_reset, &Snapshot::default()), None);
    }

    #[test]
    fn a_test_without_users_says_what_hindered_them() {
        let nothing = Snapshot::default();
        let why = nothing_answered(&asked(5, 0), &nothing);
        let text = "no user was started: the test ended before the first could be";
        assert_eq!(why.as_deref(), Some(text));
        let hindrance = Some("no worker has joined".to_owned());
        let why = nothing_answered(&Asked { hindrance, ..asked(5, 0) }, &nothing);
        assert_eq!(why.as_deref(), Some("no user was started: no worker has joined"));
    }

    #[test]
    fn arguments_of_no_use_are_named() {
        let args = |names: &[&str]| -> Vec<(String, String)> {
            names.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect()
        };
        let given = args(&["user", "pasword", "user", "b\n"]);
        assert_eq!(
            unread_args(&given, |place| place == 0).as_deref(),
            Some("no user asked for what --arg gave: \"b\\n\", \"pasword\". Are the names right?"),
            "a name that is there twice is read once"
        );
        assert_eq!(unread_args(&given, |_| true), None);
        assert_eq!(unread_args(&[], |_| false), None);
        let many: Vec<_> = (0..14).map(|number| format!("{number:0>99}")).collect();
        let many = args(&many.iter().map(String::as_str).collect::<Vec<_>>());
        let text = unread_args(&many, |_| false).expect("none is read");
        assert!(text.contains(" and 4 more.") && text.len() < 1_000, "{text}");
    }
}
