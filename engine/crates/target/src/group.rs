//! Several processes that are one target: on one port, with one sum of counts.
//!
//! A parent holds the port, and starts members that listen on it. Whichever member is asked for
//! the counts asks the parent, which asks all of them, adds up, and answers it. They talk in lines,
//! each member by two pipes:
//!
//! | from a member | to a member |
//! | --- | --- |
//! | `ready`: it serves | |
//! | `ask tell`, `ask take`: what is the sum? | `sum JSON` |
//! | `part JSON`: its own part | `tell`, `take`: what is yours? |
//!
//! Every request is in exactly one part that is taken, so sums are as true as those of one process;
//! only they are not of one moment while requests arrive. A member that dies takes its counts with
//! it, so its parent must end the target.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::counts::{Counts, OTHER_PATHS};
use crate::server::Running;

/// Questions of one member that wait for their answers.
const WAITING_MAX: usize = 256;

/// Questions of all members that wait for their turn.
const ASKED_MAX: usize = 4096;

/// What one member counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) counts: Counts,
    /// It has no room for further names: requests of one that it does not list may be among
    /// [`OTHER_PATHS`].
    pub(crate) full: bool,
}

/// Adds parts up. A name whose requests a full member may have counted among others is left to
/// the others wholly, as every name that is listed is counted exactly.
fn sum(parts: &[Part]) -> Counts {
    let mut sum = Counts::default();
    for Part { counts, .. } in parts {
        sum.total += counts.total;
        sum.bad_requests += counts.bad_requests;
        sum.connections += counts.connections;
        sum.open += counts.open;
        for (status, n) in &counts.statuses {
            *sum.statuses.entry(*status).or_default() += n;
        }
        for (path, n) in &counts.paths {
            let listed = |part: &Part| !part.full || part.counts.paths.contains_key(path);
            let name = if parts.iter().all(listed) { path } else { OTHER_PATHS };
            *sum.paths.entry(name.to_owned()).or_default() += n;
        }
    }
    sum
}

/// A line that does not belong into the conversation: a bug, or a stranger at the other end.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The line.
    #[error("a process of the target said {0:?}, which nobody asked for")]
    Unexpected(String),
    /// More questions than may wait.
    #[error("more than {ASKED_MAX} questions for the counts wait")]
    TooMany,
    /// A pipe is broken.
    #[error("reach a process of the target")]
    Pipe(#[from] io::Error),
}

/// The parent's side: what the members say goes in, questions and answers go out.
pub struct Gather {
    members: Vec<Box<dyn Write + Send>>,
    ready: usize,
    /// Who asks, and whether counting shall start again; the first is being answered.
    asked: VecDeque<(usize, bool)>,
    parts: Vec<Option<Part>>,
}

impl fmt::Debug for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Gather {
    /// For members with these pipes to them. Dropping it closes the pipes, which ends the members.
    pub fn new(members: Vec<Box<dyn Write + Send>>) -> Self {
        let parts = members.iter().map(|_| None).collect();
        Self { members, ready: 0, asked: VecDeque::new(), parts }
    }

    /// Do all members serve?
    pub fn is_ready(&self) -> bool {
        self.ready >= self.members.len()
    }

    /// Takes a line that a member has said.
    ///
    /// # Errors
    /// It makes no sense, or a member cannot be reached.
    pub fn line(&mut self, member: usize, line: &str) -> Result<(), GroupError> {
        let unexpected = || GroupError::Unexpected(line.chars().take(80).collect());
        match line {
            "ready" => self.ready += 1,
            "ask tell" | "ask take" if self.asked.len() >= ASKED_MAX => {
                return Err(GroupError::TooMany);
            }
            "ask tell" | "ask take" => {
                self.asked.push_back((member, line == "ask take"));
                if self.asked.len() == 1 {
                    self.question()?;
                }
            }
            line => {
                let part = line.strip_prefix("part ").filter(|_| !self.asked.is_empty());
                let part = part.and_then(|part| serde_json::from_str(part).ok());
                let slot = self.parts.get_mut(member).filter(|slot| slot.is_none());
                *slot.ok_or_else(unexpected)? = Some(part.ok_or_else(unexpected)?);
                self.answer()?;
            }
        }
        Ok(())
    }

    /// Puts the first question to all members.
    fn question(&mut self) -> io::Result<()> {
        let Some(&(_, take)) = self.asked.front() else { return Ok(()) };
        let question = if take { b"take\n" } else { b"tell\n" };
        for member in &mut self.members {
            member.write_all(question).and_then(|()| member.flush())?;
        }
        Ok(())
    }

    /// Answers the first question if all parts are there, and puts the next.
    fn answer(&mut self) -> io::Result<()> {
        if self.parts.iter().any(Option::is_none) {
            return Ok(());
        }
        let Some((asker, _)) = self.asked.pop_front() else { return Ok(()) };
        let parts: Vec<Part> = self.parts.iter_mut().filter_map(Option::take).collect();
        let sum = serde_json::to_string(&sum(&parts))?;
        let to = &mut self.members[asker];
        to.write_all(format!("sum {sum}\n").as_bytes()).and_then(|()| to.flush())?;
        self.question()
    }
}

/// The member's side.
pub struct Member {
    talk: Mutex<Talk>,
}

struct Talk {
    parent: Box<dyn Write + Send>,
    /// Those who wait for a sum, in the order in which they asked.
    waiting: VecDeque<oneshot::Sender<Counts>>,
}

impl Talk {
    fn say(&mut self, line: &str) -> io::Result<()> {
        self.parent.write_all(format!("{line}\n").as_bytes())?;
        self.parent.flush()
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").finish_non_exhaustive()
    }
}

impl Member {
    /// Of a parent that is reached by this pipe.
    pub fn new(parent: Box<dyn Write + Send>) -> Self {
        Self { talk: Mutex::new(Talk { parent, waiting: VecDeque::new() }) }
    }

    /// The sum over all members; with `take` counting starts again.
    pub(crate) async fn ask(&self, take: bool) -> io::Result<Counts> {
        let (answer, answered) = oneshot::channel();
        {
            let mut talk = self.talk();
            if talk.waiting.len() >= WAITING_MAX {
                return Err(io::Error::other("too many ask for the counts"));
            }
            talk.say(if take { "ask take" } else { "ask tell" })?;
            talk.waiting.push_back(answer);
        }
        answered.await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().expect("talking does not panic")
    }
}

impl Running {
    /// As a member of a group: says that it serves, and answers the parent until the parent closes
    /// the pipe, which means that the target shall end.
    ///
    /// # Errors
    /// The parent cannot be reached, or says what makes no sense.
    pub fn attend(&self, parent: impl BufRead) -> Result<(), GroupError> {
        let Some(member) = self.member() else { return Ok(()) };
        member.talk().say("ready")?;
        for line in parent.lines() {
            let line = line?;
            match line.as_str() {
                "tell" | "take" => {
                    let part = serde_json::to_string(&self.part(line == "take"));
                    member.talk().say(&format!("part {}", part.map_err(io::Error::from)?))?;
                }
                other => {
                    let unexpected = || GroupError::Unexpected(other.chars().take(80).collect());
                    let sum = other.strip_prefix("sum ").ok_or_else(unexpected)?;
                    let sum = serde_json::from_str(sum).map_err(|_| unexpected())?;
                    let waiting = member.talk().waiting.pop_front().ok_or_else(unexpected)?;
                    // The client that asked may have gone.
                    let _ = waiting.send(sum);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn part(full: bool, paths: &[(&str, u64)]) -> Part {
        let paths: BTreeMap<_, _> =
            paths.iter().map(|(path, n)| ((*path).to_owned(), *n)).collect();
        let total = paths.values().sum();
        let statuses = BTreeMap::from([(200, total)]);
        let counts = Counts { total, paths, statuses, connections: 2, open: 1, bad_requests: 3 };
        Part { counts, full }
    }

    #[test]
    fn parts_add_up() {
        let sum = sum(&[part(false, &[("/", 2), ("/a", 3)]), part(false, &[("/", 5)])]);
        assert_eq!(sum.paths, BTreeMap::from([("/".to_owned(), 7), ("/a".to_owned(), 3)]));
        assert_eq!((sum.total, sum.statuses[&200]), (10, 10));
        assert_eq!((sum.connections, sum.open, sum.bad_requests), (4, 2, 6));
    }

    #[test]
    fn a_name_that_a_full_member_does_not_list_is_left_to_the_others() {
        let full = part(true, &[("/", 2), (OTHER_PATHS, 4)]);
        let sum = sum(&[full, part(false, &[("/", 1), ("/a", 3)])]);
        let wanted = BTreeMap::from([("/".to_owned(), 3), (OTHER_PATHS.to_owned(), 7)]);
        assert_eq!(sum.paths, wanted);
        assert_eq!(sum.paths.values().sum::<u64>(), sum.total);
    }

    #[test]
    fn what_nobody_asked_for_is_refused() {
        let members: Vec<Box<dyn Write + Send>> = vec![Box::new(io::sink()), Box::new(io::sink())];
        let mut gather = Gather::new(members);
        let part = format!("part {}", serde_json::to_string(&Part::default()).unwrap());
        gather.line(0, &part).expect_err("no question");
        gather.line(0, "hello").expect_err("no such word");
        gather.line(1, "ask tell").unwrap();
        gather.line(0, "part {").expect_err("no part");
        gather.line(0, &part).unwrap();
        gather.line(0, &part).expect_err("it was asked once");
        gather.line(5, &part).expect_err("no such member");
        gather.line(1, &part).unwrap();
        assert!(gather.asked.is_empty());
    }
}
