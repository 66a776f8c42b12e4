//! What a process takes of the machine, as the kernel tells it in `/proc`.

use anyhow::{Context, Result};
use std::fs;
use std::ops::{Add, Sub};

/// Clock ticks a second in `/proc`: the kernel's `USER_HZ`, 100 on every Linux in use.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time of a process with all its threads, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cpu {
    pub(super) user: f64,
    pub(super) system: f64,
}

impl Cpu {
    /// Of a process until now.
    pub(super) fn of(process: u32) -> Result<Self> {
        let stat = read(process, "stat")?;
        Self::parse(&stat).with_context(|| format!("/proc/{process}/stat is not as it should be"))
    }

    /// Times are the 14th and 15th field; the second is a name that may contain anything.
    fn parse(stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Self { user: seconds()?, system: seconds()? })
    }

    /// User and kernel.
    pub(super) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}

impl Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }
}

/// Resident memory in KiB.
pub(super) fn resident(process: u32) -> Result<u64> {
    kib(process, "VmRSS:")
}

/// The most memory that was ever resident, in KiB.
pub(super) fn resident_max(process: u32) -> Result<u64> {
    kib(process, "VmHWM:")
}

fn kib(process: u32, field: &str) -> Result<u64> {
    let status = read(process, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("/proc/{process}/status has no {field}"))
}

/// Open descriptors.
pub(super) fn descriptors(process: u32) -> Result<usize> {
    let folder = format!("/proc/{process}/fd");
    Ok(fs::read_dir(&folder).with_context(|| format!("failed to list {folder}"))?.count())
}

/// Memory maps.
pub(super) fn maps(process: u32) -> Result<usize> {
    Ok(read(process, "maps")?.lines().count())
}

fn read(process: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{process}/{file}");
    fs::read_to_string(&path)
        .with_context(|| format!("failed to read {path}: has the process ended?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) R 9 (x) S 1 2 3 4 5 6 7 8 9 10 250 125 13 14";
        assert_eq!(Cpu::parse(stat), Some(Cpu { user: 2.5, system: 1.25 }));
        assert_eq!(Cpu::parse("7 (a) S 1 2"), None);
    }

    #[test]
    fn this_process_takes_something() {
        let me = std::process::id();
        // In this order: other tests may take memory between.
        let resident = resident(me).unwrap();
        assert!(resident > 0 && resident_max(me).unwrap() >= resident);
        assert!(descriptors(me).unwrap() > 2 && maps(me).unwrap() > 5);
        assert!(Cpu::of(me).unwrap().total() >= 0.0);
    }
}
