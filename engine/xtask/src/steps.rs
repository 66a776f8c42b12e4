//! Steps that depend on each other: each is run unless one that it builds on has failed, and all
//! of it is summed up in the end.

use anyhow::Result;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Something to be done.
pub(crate) struct Step<C> {
    pub(crate) name: &'static str,
    /// The steps whose results it uses. They come before it.
    pub(crate) after: &'static [&'static str],
    pub(crate) run: fn(&C) -> Result<Done>,
}

/// How a step ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// All of it is checked.
    Whole,
    /// Something could not be checked here, for this reason.
    NotChecked(String),
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    Done(Done),
    Failed,
    /// A step that it builds on failed or was skipped.
    Skipped(&'static str),
}

/// How all steps ended, in their order.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<(&'static str, Duration, Ended)>,
}

/// Runs those of the steps that are `chosen`. Only what is run here can keep others from running.
pub(crate) fn run<C>(context: &C, steps: &[Step<C>], chosen: impl Fn(&str) -> bool) -> Report {
    let mut report = Report { rows: Vec::new() };
    for step in steps.iter().filter(|step| chosen(step.name)) {
        if let Some(missing) = step.after.iter().find(|name| report.lacks(name)) {
            report.rows.push((step.name, Duration::ZERO, Ended::Skipped(missing)));
            continue;
        }
        eprintln!("\n== {}", step.name);
        let begun = Instant::now();
        let ended = match (step.run)(context) {
            Ok(done) => Ended::Done(done),
            Err(error) => {
                eprintln!("error: step `{}` failed: {error:#}", step.name);
                Ended::Failed
            }
        };
        report.rows.push((step.name, begun.elapsed(), ended));
    }
    report
}

impl Report {
    /// Was this step run, or to be run, and is its result not there?
    fn lacks(&self, step: &str) -> bool {
        let row = self.rows.iter().find(|(name, ..)| *name == step);
        row.is_some_and(|(.., ended)| !matches!(ended, Ended::Done(_)))
    }

    /// The steps that failed.
    pub(crate) fn failed(&self) -> Vec<&'static str> {
        let failed = self.rows.iter().filter(|(.., ended)| *ended == Ended::Failed);
        failed.map(|(name, ..)| *name).collect()
    }

    /// A line for each step, and one for all of them.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        for (name, time, ended) in &self.rows {
            let mark = match ended {
                Ended::Done(Done::Whole) => "ok".to_owned(),
                Ended::Done(Done::NotChecked(why)) => format!("ok, but NOT CHECKED: {why}"),
                Ended::Failed => "FAILED".to_owned(),
                Ended::Skipped(because) => format!("skipped, because of `{because}`"),
            };
            let seconds = time.as_secs_f64();
            writeln!(table, "{name:<12} {seconds:>7.1} s  {mark}").expect("a string takes it");
        }
        let total: Duration = self.rows.iter().map(|(_, time, _)| *time).sum();
        writeln!(table, "{:<12} {:>7.1} s", "total", total.as_secs_f64())
            .expect("a string takes it");
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::cell::RefCell;

    type Ran = RefCell<Vec<&'static str>>;

    const STEPS: [Step<Ran>; 5] = [
        Step { name: "set-up", after: &[], run: |ran| note(ran, "set-up") },
        Step {
            name: "build",
            after: &[],
            run: |ran| {
                note(ran, "build")?;
                bail!("it does not compile")
            },
        },
        Step { name: "tests", after: &["set-up", "build"], run: |ran| note(ran, "tests") },
        Step { name: "report", after: &["tests"], run: |ran| note(ran, "report") },
        Step {
            name: "advice",
            after: &["set-up"],
            run: |ran| {
                note(ran, "advice")?;
                Ok(Done::NotChecked("nobody is there".to_owned()))
            },
        },
    ];

    fn note(ran: &Ran, name: &'static str) -> Result<Done> {
        ran.borrow_mut().push(name);
        Ok(Done::Whole)
    }

    #[test]
    fn a_failure_keeps_only_those_from_running_that_build_on_it() {
        let ran = Ran::default();
        let report = run(&ran, &STEPS, |_| true);
        assert_eq!(*ran.borrow(), ["set-up", "build", "advice"]);
        assert_eq!(report.failed(), ["build"]);
        let table = report.table();
        let marks: Vec<_> = table
            .lines()
            .filter_map(|line| line.split_once(" s  "))
            .map(|(_, mark)| mark)
            .collect();
        assert_eq!(
            marks,
            [
                "ok",
                "FAILED",
                "skipped, because of `build`",
                "skipped, because of `tests`",
                "ok, but NOT CHECKED: nobody is there",
            ]
        );
        assert!(table.lines().last().is_some_and(|line| line.starts_with("total")), "{table}");
    }

    #[test]
    fn a_chosen_step_does_not_wait_for_what_was_not_chosen() {
        let ran = Ran::default();
        let report = run(&ran, &STEPS, |name| name == "tests");
        assert_eq!(*ran.borrow(), ["tests"]);
        assert!(report.failed().is_empty());
    }
}
