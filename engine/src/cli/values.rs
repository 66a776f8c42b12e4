//! Checks of single values. Every message says what is allowed.

use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use swarm_client::is_host_name;
use swarm_core::limits::{RATE_MAX, RATE_MIN, USERS_MAX, check_worker_id};
use swarm_core::message::{Connections, WEIGHT_MAX};
use swarm_core::pace::check_rate;
use swarm_guest::runtime::SLICE;

use crate::processes::PROCESSES_MAX;

/// Most connections to a host that the users of a load thread share.
const CONNECTIONS_MAX: u32 = 10_000;

/// Fewest and most bytes of modules a second. A module of a language runtime has 17 MB.
const BANDWIDTH_MIN: u64 = 10_000;
const BANDWIDTH_MAX: u64 = 1_000_000_000_000;

/// Most threads of a worker or a target.
const THREADS_MAX: usize = 256;

/// Most seconds of a time limit.
const SECONDS_MAX: u64 = 366 * 24 * 3600;

pub(super) fn users(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(users) if (1..=USERS_MAX).contains(&users) => Ok(users),
        _ => Err(format!("give a whole number from 1 to {USERS_MAX}")),
    }
}

pub(super) fn weight(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(weight) if (1..=WEIGHT_MAX).contains(&weight) => Ok(weight),
        _ => Err(format!("give a whole number from 1 to {WEIGHT_MAX}")),
    }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if check_rate(rate).is_ok() => Ok(rate),
        _ => Err(format!("give a number of users a second above 0, from {RATE_MIN} to {RATE_MAX}")),
    }
}

/// `per-user` or `shared:N`.
pub(super) fn connections(text: &str) -> Result<Connections, String> {
    let shared = text.strip_prefix("shared:").map(str::parse);
    match (text, shared) {
        ("per-user", _) => Ok(Connections::PerUser),
        (_, Some(Ok(connections))) if (1..=CONNECTIONS_MAX).contains(&connections) => {
            Ok(Connections::Shared(connections))
        }
        _ => Err(format!("give per-user, or shared:N with N from 1 to {CONNECTIONS_MAX}")),
    }
}

/// Bytes a second: a number, with K, M or G for the thousandfold, and so on.
pub(super) fn bandwidth(text: &str) -> Result<NonZeroU64, String> {
    let wrong = || {
        let (min, max) = (BANDWIDTH_MIN / 1_000, BANDWIDTH_MAX / 1_000_000_000);
        format!("give bytes a second from {min}K to {max}G, such as 500K, 100M or 1.5G")
    };
    let (number, unit) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "k" | "K")) => (number, 1e3),
        Some((number, "m" | "M")) => (number, 1e6),
        Some((number, "g" | "G")) => (number, 1e9),
        _ => (text, 1.0),
    };
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let bytes = number.parse::<f64>().ok().filter(|_| plain).ok_or_else(wrong)? * unit;
    if !(BANDWIDTH_MIN as f64..=BANDWIDTH_MAX as f64).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in the range")]
    let bytes = bytes.round() as u64;
    NonZeroU64::new(bytes).ok_or_else(wrong)
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if (1..=THREADS_MAX).contains(&threads) => Ok(threads),
        _ => Err(format!("give a whole number from 1 to {THREADS_MAX}")),
    }
}

/// A number of processes; -1 is one for each core.
pub(super) fn processes(text: &str) -> Result<u32, String> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    match text.parse::<i64>() {
        Ok(-1) => Ok(u32::try_from(cores()).unwrap_or(PROCESSES_MAX).min(PROCESSES_MAX)),
        Ok(count) if (1..=i64::from(PROCESSES_MAX)).contains(&count) => {
            Ok(u32::try_from(count).expect("at most PROCESSES_MAX"))
        }
        _ => Err(format!("give a number from 1 to {PROCESSES_MAX}, or -1 for one each core")),
    }
}

/// Most addresses that connections are made from.
const SOURCES_MAX: u32 = 4096;

/// Local addresses: one, a range `127.0.0.2-127.0.0.9` or `127.0.0.2-9`, or a block
/// `127.1.0.0/28`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sources(pub(crate) Vec<IpAddr>);

pub(super) fn sources(text: &str) -> Result<Sources, String> {
    let text = text.trim();
    let wrong = || "write ADDRESS, FIRST-LAST or ADDRESS/BITS".to_owned();
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| wrong());
    if let Some((base, bits)) = text.split_once('/') {
        return block(address(base)?, bits.parse().map_err(|_| wrong())?);
    }
    let Some((first, last)) = text.split_once('-') else {
        return address(text).map(|address| Sources(vec![address]));
    };
    let first = address(first)?;
    // The last number alone stands for an address that begins like the first.
    let last = match (first, last.parse::<u8>()) {
        (IpAddr::V4(first), Ok(last)) => {
            let [a, b, c, _] = first.octets();
            IpAddr::from([a, b, c, last])
        }
        _ => address(last)?,
    };
    range(first, last)
}

fn block(base: IpAddr, bits: u32) -> Result<Sources, String> {
    let width = if base.is_ipv4() { 32 } else { 128 };
    let free =
        u32::checked_sub(width, bits).ok_or_else(|| format!("a block has 0 to {width} bits"))?;
    let mask = 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
    let number = number(base);
    range(base_like(base, number & !mask), base_like(base, number | mask))
}

fn range(first: IpAddr, last: IpAddr) -> Result<Sources, String> {
    if first.is_ipv4() != last.is_ipv4() || first > last {
        return Err(format!("a range goes from a lower to a higher address, not {first}-{last}"));
    }
    let (from, to) = (number(first), number(last));
    if to - from >= u128::from(SOURCES_MAX) {
        return Err(format!("{SOURCES_MAX} addresses are the most; {first}-{last} are more"));
    }
    Ok(Sources((from..=to).map(|number| base_like(first, number)).collect()))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address of this number, in the family of another.
fn base_like(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => {
            IpAddr::V4(u32::try_from(number).expect("within the family's range").into())
        }
        IpAddr::V6(_) => IpAddr::V6(number.into()),
    }
}

pub(super) fn run_time(text: &str) -> Result<Duration, String> {
    swarm_core::span::parse(text).map(Duration::from_secs).map_err(|error| error.to_string())
}

/// A time that may be 0, with a fraction where it is in bare seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        let time = Duration::try_from_secs_f64(seconds).ok();
        return time
            .filter(|time| time.as_secs() <= SECONDS_MAX)
            .ok_or_else(|| format!("give seconds from 0 to {SECONDS_MAX}"));
    }
    run_time(text)
}

pub(super) fn time_limit(text: &str) -> Result<Duration, String> {
    let time = seconds(text)?;
    if time.is_zero() { Err("give a time above 0".to_owned()) } else { Ok(time) }
}

/// Computing time is measured in slices: less than one cannot be told from none.
pub(super) fn cpu_limit(text: &str) -> Result<Duration, String> {
    let time = seconds(text)?;
    if time < SLICE {
        return Err(format!("give a time of at least {} s", SLICE.as_secs_f32()));
    }
    Ok(time)
}

pub(super) fn argument(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// A variable of the environment with its value; without one it has the value that it has in this
/// process. No error has a value in it.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() || name.contains('\0') {
        return Err("write NAME=VALUE, or NAME".to_owned());
    }
    let value = value.map_or_else(|| std::env::var(name), Ok);
    match value {
        Ok(value) => Ok((name.to_owned(), value)),
        Err(std::env::VarError::NotPresent) => Err(format!(
            "{name} is not in the environment of this process: set it, or write {name}=VALUE"
        )),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("the value of {name} is not UTF-8")),
    }
}

/// An item of a list, without the spaces around it.
pub(super) fn item(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("an item of the list is empty".to_owned()),
        item => Ok(item.to_owned()),
    }
}

/// The name or the address of a machine, without a port.
pub(super) fn machine(text: &str) -> Result<String, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inner) = inner.filter(|inner| inner.parse::<Ipv6Addr>().is_ok()) {
        return Ok(inner.to_owned());
    }
    let wrong = "write the name or the address of a machine";
    if text.contains("://") {
        return Err(format!("{wrong}, without a scheme"));
    }
    if text.contains(':') {
        return Err(format!("{wrong}; its port has a flag of its own"));
    }
    if is_host_name(text) { Ok(text.to_owned()) } else { Err(wrong.to_owned()) }
}

/// A port of another machine: 0 is none there.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("give a whole number from 1 to 65535".to_owned()),
    }
}

pub(super) fn worker_id(text: &str) -> Result<String, String> {
    check_worker_id(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidths_have_units_and_bounds() {
        for (text, bytes) in [
            ("10000", 10_000),
            ("10K", 10_000),
            ("500k", 500_000),
            ("100M", 100_000_000),
            ("1.5g", 1_500_000_000),
            ("1000G", 1_000_000_000_000),
        ] {
            assert_eq!(bandwidth(text).map(NonZeroU64::get), Ok(bytes), "{text}");
        }
        for text in ["", "K", "0", "9999", "9K", "1001G", "-5M", "1e9", "inf", "5MB", "5 M", "M5"] {
            let error = bandwidth(text).unwrap_err();
            assert!(error.contains("from 10K to 1000G"), "{text}: {error}");
        }
    }

    fn of(text: &str) -> Vec<String> {
        let sources = sources(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        sources.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn source_addresses_come_singly_in_ranges_and_in_blocks() {
        assert_eq!(of("10.0.0.7"), ["10.0.0.7"]);
        assert_eq!(of("127.0.0.2-4"), ["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
        assert_eq!(of("127.0.0.255-127.0.1.0"), ["127.0.0.255", "127.0.1.0"]);
        assert_eq!(of("127.0.0.6/30"), ["127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7"]);
        assert_eq!(of("10.1.2.3/32"), ["10.1.2.3"]);
        assert_eq!(of("fe80::fe-fe80::100"), ["fe80::fe", "fe80::ff", "fe80::100"]);
        assert_eq!(of("::1/127"), ["::", "::1"]);
        assert_eq!(of("10.0.0.0/20").len(), SOURCES_MAX as usize);
    }

    #[test]
    fn other_source_addresses_are_refused() {
        let bad = [
            ("", "write ADDRESS"),
            ("localhost", "write ADDRESS"),
            ("10.0.0.1/x", "write ADDRESS"),
            ("10.0.0.1/33", "0 to 32 bits"),
            ("10.0.0.9-3", "from a lower to a higher"),
            ("10.0.0.1-::1", "from a lower to a higher"),
            ("10.0.0.0/8", "4096 addresses are the most"),
            ("::/0", "4096 addresses are the most"),
            ("10.0.0.1-300", "write ADDRESS"),
        ];
        for (text, part) in bad {
            let error = sources(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_machine_has_a_name_or_an_address_and_no_port() {
        for (text, machine_of) in
            [("a", "a"), ("m.test.", "m.test."), ("10.0.0.1", "10.0.0.1"), ("[::1]", "::1")]
        {
            assert_eq!(machine(text).as_deref(), Ok(machine_of));
        }
        let long = "x".repeat(64);
        for (text, part) in [
            ("", "the name or the address"),
            (" ", "the name or the address"),
            ("a b", "the name or the address"),
            ("a..b", "the name or the address"),
            (long.as_str(), "the name or the address"),
            ("http://a", "without a scheme"),
            ("a:5557", "a flag of its own"),
            ("[::1]:5557", "a flag of its own"),
        ] {
            let error = machine(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert_eq!(port("1"), Ok(1));
        for wrong in ["0", "65536", "-1", "x", ""] {
            port(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn processes_are_counted_or_left_to_the_cores() {
        assert_eq!(processes("6"), Ok(6));
        assert!(processes("-1").is_ok_and(|count| count >= 1));
        for wrong in ["0", "-2", "257", "many", ""] {
            processes(wrong).expect_err(wrong);
        }
    }
}
