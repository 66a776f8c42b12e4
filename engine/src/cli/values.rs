//! Checks of single values. Every message says what is allowed.

use std::time::Duration;

use swarm_guest::runtime::SLICE;

/// Most users of a test.
const USERS_MAX: u32 = 10_000_000;

/// Most users to start in a second.
const RATE_MAX: f64 = 1_000_000.0;

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

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= RATE_MAX => Ok(rate),
        _ => Err(format!("give a number of users a second above 0, at most {RATE_MAX}")),
    }
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if (1..=THREADS_MAX).contains(&threads) => Ok(threads),
        _ => Err(format!("give a whole number from 1 to {THREADS_MAX}")),
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
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
