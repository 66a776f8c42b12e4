//! What the system says of limits and of what is taken, from `/proc` and the control group.
//! What cannot be read is not known, and bounds nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Limit, Resource, Setting};

/// Kept free for what is not a user's: threads, the allocator, the page's connections, files.
const MAPS_KEPT: u64 = 512;
const FILES_KEPT: u64 = 128;
const ADDRESS_SPACE_KEPT: u64 = 8 << 30;

/// Of the memory that is free, one part in so many stays free.
const MEMORY_KEPT_PART: u64 = 20;

/// Addresses that a process may have on the processors that swarm runs on, unless limited.
const ADDRESS_SPACE_BYTES_MAX: u64 = 1 << 47;

/// What this process has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taken {
    pub(super) maps: u64,
    pub(super) files: u64,
    pub(super) address_space_bytes: u64,
    pub(super) memory_bytes: u64,
}

/// What this process has taken by now.
pub(super) fn taken() -> Taken {
    let lines = |path: &str| fs::read_to_string(path).map_or(0, |text| text.lines().count() as u64);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    // The other file's figure for what is resident is kept by thread and up to 1 MiB behind.
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let resident = bytes_of(&rollup, "Rss:").or_else(|| bytes_of(&status, "VmRSS:"));
    Taken {
        maps: lines("/proc/self/maps"),
        files: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        address_space_bytes: bytes_of(&status, "VmSize:").unwrap_or(0),
        memory_bytes: resident.unwrap_or(0),
    }
}

/// The limits of this process, as they are now.
pub(super) fn limits(setting: Setting) -> Vec<Limit> {
    let taken = taken();
    let own = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let processes = u64::from(setting.processes.max(1));
    let mut limits = Vec::new();
    let mut limit = |resource, max: Option<u64>, taken: u64| {
        limits.extend(max.map(|max| Limit { resource, max, taken }));
    };
    limit(Resource::Maps, number("/proc/sys/vm/max_map_count"), taken.maps + MAPS_KEPT);
    limit(Resource::Files, soft_limit(&own, "Max open files"), taken.files + FILES_KEPT);
    let ports = ports_per_address();
    let ports = ports.map(|ports| ports * u64::from(setting.source_addresses.max(1)) / processes);
    limit(Resource::Ports, ports, 0);
    let space = soft_limit(&own, "Max address space").unwrap_or(u64::MAX);
    let space = space.min(ADDRESS_SPACE_BYTES_MAX);
    limit(Resource::AddressSpace, Some(space), taken.address_space_bytes + ADDRESS_SPACE_KEPT);
    // What this process has taken already is not among what is free.
    let memory = free_memory().map(|memory| memory.free_bytes / processes);
    limit(Resource::Memory, memory, memory.unwrap_or(0) / MEMORY_KEPT_PART);
    limits
}

/// Local ports that the system gives out, for each local address.
fn ports_per_address() -> Option<u64> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    ports_in(&range)
}

fn ports_in(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map(|port| port.parse::<u64>().ok());
    let (first, last) = (ends.next()??, ends.next()??);
    (last + 1).checked_sub(first)
}

/// Memory that can be had without swapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FreeMemory {
    free_bytes: u64,
    /// What there is in all.
    all_bytes: u64,
}

/// The least of what the machine and the control groups of this process have.
fn free_memory() -> Option<FreeMemory> {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let machine = bytes_of(&info, "MemAvailable:").zip(bytes_of(&info, "MemTotal:"));
    let machine = machine.map(|(free_bytes, all_bytes)| FreeMemory { free_bytes, all_bytes });
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = group_memory(Path::new("/sys/fs/cgroup"), &groups);
    machine.into_iter().chain(groups).min_by_key(|memory| memory.free_bytes)
}

/// What the control groups leave, from the process's own to the root, of either version.
fn group_memory(root: &Path, groups: &str) -> Option<FreeMemory> {
    let mut least: Option<FreeMemory> = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (root, files) = match controllers {
            "" => (root.to_owned(), ["memory.max", "memory.current"]),
            one if one.split(',').any(|name| name == "memory") => {
                (root.join("memory"), ["memory.limit_in_bytes", "memory.usage_in_bytes"])
            }
            _ => continue,
        };
        // A container may see its own group as the root, whatever its path says.
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let free = free_of_group(&root.join(group), files);
            least = least.into_iter().chain(free).min_by_key(|memory| memory.free_bytes);
        }
    }
    least
}

fn free_of_group(folder: &Path, [max, current]: [&str; 2]) -> Option<FreeMemory> {
    let read = |name: &str| number(folder.join(name));
    let (max, current) = (read(max)?, read(current)?);
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    // Cached files count as taken, but are given up when memory is wanted.
    let cached = ["inactive_file ", "total_inactive_file "];
    let cached = cached.into_iter().filter_map(|name| {
        stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
    });
    let taken = current.saturating_sub(cached.max().unwrap_or(0));
    Some(FreeMemory { free_bytes: max.saturating_sub(taken), all_bytes: max })
}

/// Memory is told to be near its end when less than one part in so many is free...
const MEMORY_NEAR_PART: u64 = 20;
/// ...or less than this, on machines with little.
const MEMORY_NEAR_BYTES: u64 = 128 << 20;
/// And again only after so many times that was free.
const MEMORY_FAR_FACTOR: u64 = 2;

/// Watches the memory that is free.
#[derive(Debug, Default)]
pub(crate) struct MemoryWatch {
    warning: Option<String>,
}

impl MemoryWatch {
    /// What to tell the operator, for as long as it is so. The text stays the same meanwhile.
    pub(crate) fn look(&mut self) -> Option<String> {
        self.judge(free_memory());
        self.warning.clone()
    }

    fn judge(&mut self, memory: Option<FreeMemory>) {
        let Some(FreeMemory { free_bytes, all_bytes }) = memory else { return };
        let near = (all_bytes / MEMORY_NEAR_PART).max(MEMORY_NEAR_BYTES);
        if self.warning.is_none() && free_bytes < near {
            self.warning = Some(format!(
                "its memory is near the end, {} of {} MiB are free: when it ends, the system kills \
                 processes; run fewer users here",
                free_bytes >> 20,
                all_bytes >> 20
            ));
        } else if free_bytes >= near.saturating_mul(MEMORY_FAR_FACTOR) {
            self.warning = None;
        }
    }
}

/// The number in a file of one; `None` also for `max`.
fn number(path: impl Into<PathBuf>) -> Option<u64> {
    fs::read_to_string(path.into()).ok()?.trim().parse().ok()
}

/// The number behind `name` at the beginning of a line, in `kB`.
fn bytes_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// A soft limit out of `/proc/PID/limits`; `None` for `unlimited`.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Setting = Setting { processes: 1, threads: 1, source_addresses: 1 };

    #[test]
    fn this_process_is_read() {
        let taken = taken();
        assert!(taken.maps > 10 && taken.files > 2, "{taken:?}");
        assert!(taken.address_space_bytes > taken.memory_bytes && taken.memory_bytes > 100_000);
        let limits = limits(ONE);
        for resource in [Resource::Maps, Resource::Ports, Resource::Memory] {
            let limit = limits.iter().find(|limit| limit.resource == resource);
            let limit = limit.unwrap_or_else(|| panic!("no {resource}"));
            assert!(limit.max > limit.taken, "{limit:?}");
        }
    }

    #[test]
    fn several_processes_share_what_is_the_machines() {
        let of = |setting| {
            let limits = limits(setting);
            limits.into_iter().find(|l| l.resource == Resource::Ports).expect("ports").max
        };
        let one = of(ONE);
        let shared = of(Setting { processes: 4, source_addresses: 8, ..ONE });
        assert_eq!(shared, one * 2);
    }

    #[test]
    fn proc_files_are_understood() {
        assert_eq!(ports_in("32768\t60999\n"), Some(28_232));
        assert_eq!(ports_in("60999 32768"), None);
        assert_eq!(ports_in(""), None);
        let limits = "Limit  Soft Limit  Hard Limit  Units\n\
                      Max open files            1024                 20000                files\n\
                      Max address space         unlimited            unlimited            bytes\n";
        assert_eq!(soft_limit(limits, "Max open files"), Some(1024));
        assert_eq!(soft_limit(limits, "Max address space"), None);
        assert_eq!(bytes_of("VmRSS:\t  12 kB\n", "VmRSS:"), Some(12 << 10));
    }

    #[test]
    fn the_tightest_control_group_counts() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("a/b/memory.max", "max\n");
        write("a/b/memory.current", "5000\n");
        write("a/memory.max", "9000\n");
        write("a/memory.current", "6000\n");
        write("a/memory.stat", "anon 5000\ninactive_file 1000\n");
        let memory = group_memory(root.path(), "0::/a/b\n");
        assert_eq!(memory, Some(FreeMemory { free_bytes: 4000, all_bytes: 9000 }));

        write("memory/job/memory.limit_in_bytes", "100\n");
        write("memory/job/memory.usage_in_bytes", "99\n");
        let groups = "8:pids:/\n4:memory:/job\n0::/a/b\n";
        let memory = group_memory(root.path(), groups);
        assert_eq!(memory, Some(FreeMemory { free_bytes: 1, all_bytes: 100 }));
        assert_eq!(group_memory(root.path(), "nonsense\n"), None);
    }

    #[test]
    fn a_warning_stays_until_there_is_memory_again() {
        let mut watch = MemoryWatch::default();
        let mut at = |free_gib: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let free_bytes = (free_gib * f64::from(1 << 30)) as u64;
            watch.judge(Some(FreeMemory { free_bytes, all_bytes: 20 << 30 }));
            watch.warning.clone()
        };
        assert_eq!(at(1.5), None);
        let warning = at(0.9).expect("below a twentieth");
        assert_eq!(at(0.5), Some(warning.clone()), "the same words");
        assert_eq!(at(1.5), Some(warning), "not at every change");
        assert_eq!(at(2.5), None);
    }
}
