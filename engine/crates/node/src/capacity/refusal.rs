//! Too many users, in words, with the commands that make room.

use std::fmt;

use super::{Bound, Resource};

/// More users than a process can carry.
#[derive(Debug, Clone, PartialEq)]
pub struct TooMany {
    /// The users asked for.
    pub users: u32,
    /// The resources that do not suffice, the scarcest first; at least one.
    pub short: Vec<Bound>,
}

impl std::error::Error for TooMany {}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.short.first().map_or(0, |bound| bound.users);
        write!(f, "{} users are more than the {most} that this process can carry", self.users)?;
        for bound in &self.short {
            let (resource, users) = (bound.limit.resource, bound.users);
            write!(f, "; {resource} for {users}, {}", remedy(bound, self.users))?;
        }
        if let Some(processes) = self.processes() {
            write!(
                f,
                "; or share them out: `swarm master` and `swarm worker --processes {processes}`"
            )?;
        }
        Ok(())
    }
}

impl TooMany {
    /// Processes over which the users can be spread instead, where that is of use: what the
    /// machine is short of, more processes do not bring.
    fn processes(&self) -> Option<u64> {
        let of_process = |bound: &Bound| {
            matches!(
                bound.limit.resource,
                Resource::Maps | Resource::Files | Resource::AddressSpace
            )
        };
        let fewest = self.short.first().filter(|bound| of_process(bound) && bound.users > 0)?;
        Some(u64::from(self.users).div_ceil(u64::from(fewest.users)))
    }
}

/// What lifts one bound to so many users.
fn remedy(bound: &Bound, users: u32) -> String {
    let needed = needed(bound, users);
    let max = bound.limit.max;
    match bound.limit.resource {
        Resource::Maps => format!(
            "at {:.1} each: `sysctl -w vm.max_map_count={}` (now {max})",
            bound.need.per_user,
            needed.next_multiple_of(1000)
        ),
        Resource::Files => format!(
            "`ulimit -n {}` (now {max}; above the hard limit it takes root, or LimitNOFILE= of \
             the service)",
            needed.next_multiple_of(100)
        ),
        Resource::Ports => format!(
            "towards one target: connect from {} times as many addresses with `--source-address`, \
             or `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`",
            needed.div_ceil(max.max(1))
        ),
        Resource::AddressSpace => {
            let remedy = "`ulimit -v unlimited` if it is limited, else several processes";
            // What is there before the first user may be too much already.
            match bound.users {
                0 => remedy.to_owned(),
                _ => format!("at {} each: {remedy}", size(bound.need.per_user)),
            }
        }
        Resource::Memory => format!(
            "at about {} each and {} free: give the machine or the container {}, or add workers \
             on other machines",
            size(bound.need.per_user),
            size(max.saturating_sub(bound.limit.taken) as f64),
            size(needed as f64)
        ),
    }
}

/// What the limit would have to be.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as wanted")]
fn needed(bound: &Bound, users: u32) -> u64 {
    let of_users = (bound.need.per_user * f64::from(users)).ceil() as u64;
    of_users.saturating_add(bound.need.fixed).saturating_add(bound.limit.taken)
}

fn size(bytes: f64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::super::{Limit, Need, assess};
    use super::*;

    fn refused(resource: Resource, max: u64, taken: u64, per_user: f64, users: u32) -> String {
        let limit = Limit { resource, max, taken };
        let need = Need { resource, per_user, fixed: 0 };
        assess(&[limit], &[need]).admit(users).expect_err("too many").to_string()
    }

    #[test]
    fn each_limit_names_the_command_that_lifts_it() {
        let maps = refused(Resource::Maps, 65_530, 1530, 4.0, 100_000);
        assert!(maps.contains("more than the 16000 that this process can carry"), "{maps}");
        // 400,000 and what is taken already.
        assert!(maps.contains("`sysctl -w vm.max_map_count=402000`"), "{maps}");
        assert!(maps.contains("`swarm worker --processes 7`"), "{maps}");

        let files = refused(Resource::Files, 20_000, 256, 1.0, 30_000);
        assert!(files.contains("`ulimit -n 30300`"), "{files}");
        assert!(files.contains("--processes 2"), "{files}");

        let ports = refused(Resource::Ports, 28_232, 0, 1.0, 100_000);
        assert!(
            ports.contains("from 4 times as many addresses with `--source-address`"),
            "{ports}"
        );
        assert!(!ports.contains("--processes"), "processes bring no ports: {ports}");

        let memory = refused(Resource::Memory, 4 << 30, 1 << 30, 32_768.0, 200_000);
        assert!(memory.contains("32.0 KiB each and 3.0 GiB free"), "{memory}");
        assert!(!memory.contains("--processes"), "nor memory: {memory}");
    }

    #[test]
    fn a_lifted_limit_suffices() {
        for users in [16_001, 100_000, 1_000_000] {
            let (taken, per_user) = (1530, 4.1);
            let resource = Resource::Maps;
            let need = Need { resource, per_user, fixed: 0 };
            let limit = |max| assess(&[Limit { resource, max, taken }], &[need]);
            let refusal = limit(65_530).admit(users).expect_err("too many").to_string();
            let (_, after) = refusal.split_once("max_map_count=").expect("the command");
            let max = after.split('`').next().expect("a number").parse().expect("a number");
            limit(max).admit(users).expect("what it was told to do suffices");
        }
    }

    #[test]
    fn nobody_fits_where_everything_is_taken() {
        let text = refused(Resource::Files, 100, 256, 1.0, 5);
        assert!(text.contains("more than the 0 that"), "{text}");
        assert!(!text.contains("--processes"), "{text}");
    }
}
