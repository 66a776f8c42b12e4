//! How many users a process can carry, known before the first is started.
//!
//! A user takes memory maps, a file descriptor and a local port for its connection, address space
//! and memory. Each is limited, by the process or by the machine, and whichever runs out first
//! decides. [`assess`] is the arithmetic; `system` reads the limits, `footprint` measures what an
//! instance of a module takes, so that the figures are those of the scenario at hand.
//!
//! # Layout
//! - this file: limits and needs in, a [`Capacity`] out.
//! - `system`: what the system says, from `/proc` and the control group.
//! - `footprint`: what instances of a module take.
//! - `refusal`: too many users, in words, with the commands that make room.

mod footprint;
mod refusal;
mod system;

use std::fmt;

use swarm_core::message::Connections;
use swarm_core::plan::{Scenario, Sharing};
use swarm_guest::Module;

pub use refusal::TooMany;
pub(crate) use system::MemoryWatch;

/// What users take, and what may run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Memory maps of the process.
    Maps,
    /// Open files of the process.
    Files,
    /// Local ports towards the target.
    Ports,
    /// Address space of the process, in bytes.
    AddressSpace,
    /// Memory of the machine or the control group, in bytes.
    Memory,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Maps => "memory maps",
            Self::Files => "open files",
            Self::Ports => "local ports",
            Self::AddressSpace => "address space",
            Self::Memory => "memory",
        })
    }
}

/// What is known beside the module and the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Processes that share the machine's memory and ports with this one, itself included.
    pub processes: u32,
    /// Load threads.
    pub threads: u32,
    /// Local addresses that connections are made from; 1 where the system chooses.
    pub source_addresses: u32,
}

/// One limit: how much there may be, and how much is taken before the first user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// The most that there may be.
    pub max: u64,
    /// What is taken, or kept free, for other things than users.
    pub taken: u64,
}

/// What a user takes of a resource.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Need {
    /// Of what.
    pub resource: Resource,
    /// By each user; on the average, as several may share.
    pub per_user: f64,
    /// By all of them together.
    pub fixed: u64,
}

/// How many users one resource carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The most users.
    pub users: u32,
    /// The limit.
    pub limit: Limit,
    /// What a user takes.
    pub need: Need,
}

/// How many users a process can carry, and why not more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capacity {
    /// The lowest first. Empty: nothing is known to be limited.
    bounds: Vec<Bound>,
}

/// Holds what users need against what there is. A need without a limit bounds nothing.
pub fn assess(limits: &[Limit], needs: &[Need]) -> Capacity {
    let bound = |need: &Need| {
        let limit = limits.iter().find(|limit| limit.resource == need.resource)?;
        let left = limit.max.saturating_sub(limit.taken.saturating_add(need.fixed));
        let users = if need.per_user > 0.0 {
            whole(left as f64 / need.per_user)
        } else if limit.max >= limit.taken.saturating_add(need.fixed) {
            return None;
        } else {
            0
        };
        Some(Bound { users, limit: *limit, need: *need })
    };
    let mut bounds: Vec<_> = needs.iter().filter_map(bound).collect();
    bounds.sort_by_key(|bound| (bound.users, bound.limit.resource));
    Capacity { bounds }
}

/// The whole users in a number of them.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as wanted")]
fn whole(users: f64) -> u32 {
    users as u32
}

/// What a user of a module takes, measured in this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    instance: footprint::Footprint,
    users_per_instance: u32,
    host_bytes: f64,
}

/// Measures what a user of `module` takes. Takes a tenth of a second at most, unless a single
/// instance takes longer.
pub async fn measure(module: &Module, plan: &Scenario) -> Measured {
    let instance = footprint::of(module).await;
    let users_per_instance = match plan.sharing {
        Sharing::PerUser => 1,
        Sharing::Shared(users) => users.max(1),
    };
    let host_bytes = if module.is_dense() { DENSE_BYTES_PER_USER } else { HOST_BYTES_PER_USER };
    Measured { instance, users_per_instance, host_bytes }
}

/// Memory that the host keeps for a user beside its instance: its session, its timers, its place
/// in the tables, and what a task leaves in its instance. 100,000 users of `scenarios/idle` took
/// 41 KiB each, of which instances that have only described themselves account for 17.5.
const HOST_BYTES_PER_USER: f64 = 12.0 * 1024.0;

/// The same where the users of a thread live in one instance, their part of it included. An
/// estimate from above, for users of whom most wait.
const DENSE_BYTES_PER_USER: f64 = 2048.0;

/// Memory of a kept-alive connection that waits: the client's, and the system's for its socket.
const BYTES_PER_CONNECTION: f64 = 12.0 * 1024.0;

impl Measured {
    /// How many users this process can carry as things are now.
    pub fn capacity(&self, setting: Setting, connections: Connections) -> Capacity {
        assess(&system::limits(setting), &self.needs(setting, connections))
    }

    fn needs(&self, setting: Setting, connections: Connections) -> [Need; 5] {
        let share = |taken: f64| taken / f64::from(self.users_per_instance);
        let (own, shared) = match connections {
            Connections::PerUser => (1.0, 0),
            Connections::Shared(each) => (0.0, u64::from(each) * u64::from(setting.threads)),
        };
        let instance = &self.instance;
        let memory = share(instance.memory_bytes) + self.host_bytes + own * BYTES_PER_CONNECTION;
        let need = |resource, per_user, fixed| Need { resource, per_user, fixed };
        [
            need(Resource::Maps, share(instance.maps), 0),
            need(Resource::Files, own, shared),
            need(Resource::Ports, own, shared),
            need(Resource::AddressSpace, share(instance.address_space_bytes), 0),
            need(Resource::Memory, memory, 0),
        ]
    }
}

impl Capacity {
    /// The most users; `None` when nothing is known to be limited.
    pub fn users_max(&self) -> Option<u32> {
        self.bounds.first().map(|bound| bound.users)
    }

    /// What each resource carries, the scarcest first.
    pub fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    /// Whether so many users fit.
    ///
    /// # Errors
    /// They do not: what is in the way, and what makes room.
    pub fn admit(&self, users: u32) -> Result<(), TooMany> {
        let short: Vec<_> =
            self.bounds.iter().copied().take_while(|bound| bound.users < users).collect();
        if short.is_empty() { Ok(()) } else { Err(TooMany { users, short }) }
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.bounds.first() else {
            return f.write_str("any number of users: no limit is known");
        };
        write!(f, "up to {} users", first.users)?;
        for (index, bound) in self.bounds.iter().enumerate() {
            let before = if index == 0 { " (" } else { ", " };
            write!(f, "{before}{} {}", bound.limit.resource, bound.users)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(resource: Resource, max: u64, taken: u64) -> Limit {
        Limit { resource, max, taken }
    }

    fn need(resource: Resource, per_user: f64, fixed: u64) -> Need {
        Need { resource, per_user, fixed }
    }

    #[test]
    fn the_scarcest_resource_decides() {
        let limits = [limit(Resource::Maps, 65_530, 530), limit(Resource::Files, 20_000, 300)];
        let needs = [
            need(Resource::Files, 1.0, 0),
            need(Resource::Maps, 4.0, 0),
            need(Resource::Ports, 1.0, 0),
        ];
        let capacity = assess(&limits, &needs);
        let users: Vec<_> = capacity.bounds().iter().map(|b| (b.limit.resource, b.users)).collect();
        assert_eq!(users, [(Resource::Maps, 16_250), (Resource::Files, 19_700)]);
        assert_eq!(capacity.users_max(), Some(16_250));
        assert!(capacity.admit(16_250).is_ok());
        let refused = capacity.admit(16_251).expect_err("one too many");
        assert_eq!(refused.short.len(), 1);
        assert_eq!(capacity.admit(20_000).expect_err("too many").short.len(), 2);
        assert_eq!(capacity.to_string(), "up to 16250 users (memory maps 16250, open files 19700)");
    }

    #[test]
    fn what_is_not_known_or_not_needed_bounds_nothing() {
        let maps = [limit(Resource::Maps, 65_530, 100)];
        assert_eq!(assess(&maps, &[need(Resource::Files, 1.0, 0)]).users_max(), None);
        assert_eq!(assess(&maps, &[need(Resource::Maps, 0.0, 10)]).users_max(), None);
        assert!(Capacity::default().admit(u32::MAX).is_ok());
    }

    #[test]
    fn what_is_used_up_carries_nobody() {
        let files = [limit(Resource::Files, 100, 90)];
        assert_eq!(assess(&files, &[need(Resource::Files, 0.0, 11)]).users_max(), Some(0));
        assert_eq!(assess(&files, &[need(Resource::Files, 0.0, 10)]).users_max(), None);
        assert_eq!(assess(&files, &[need(Resource::Files, 1.0, 50)]).users_max(), Some(0));
        let huge = [limit(Resource::Memory, u64::MAX, 0)];
        assert_eq!(assess(&huge, &[need(Resource::Memory, 0.5, 0)]).users_max(), Some(u32::MAX));
    }

    #[test]
    fn shared_instances_and_connections_cost_a_part() {
        let instance = footprint::Footprint {
            maps: 50.0,
            address_space_bytes: 1e9,
            memory_bytes: 6_000_000.0,
        };
        let measured = Measured { instance, users_per_instance: 100, host_bytes: 5000.0 };
        let setting = Setting { processes: 1, threads: 2, source_addresses: 1 };
        let needs = measured.needs(setting, Connections::Shared(32));
        let [maps, files, ports, space, memory] = needs;
        assert_eq!((maps.per_user, space.per_user), (0.5, 1e7));
        assert_eq!((files.per_user, files.fixed), (0.0, 64));
        assert_eq!((ports.per_user, ports.fixed), (0.0, 64));
        assert_eq!(memory.per_user, 65_000.0);
        let [_, files, _, _, memory] = measured.needs(setting, Connections::PerUser);
        assert_eq!((files.per_user, files.fixed), (1.0, 0));
        assert_eq!(memory.per_user, 65_000.0 + BYTES_PER_CONNECTION);
    }
}
