//! What one side accepts from the other. Both sides check: the sender so that its error names
//! the field before anything is sent, the receiver because it trusts nobody. What an operator may
//! ask for (the settings of a test, the id of a worker) has its limits in [`swarm_core::limits`].

use std::time::Duration;

/// A connection on which no worker is registered after this time is closed; a worker that gets
/// no answer to its registration within it gives up.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the largest message from a peer that is not registered yet.
pub const UNREGISTERED_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Messages that a peer may send before it is registered. Registering takes five.
pub const UNREGISTERED_MESSAGES_MAX: u32 = 32;
/// Bytes of the largest message at all. The receiver allocates it before its bytes are there.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Words that may be visited while one message is read: twice the largest message, so that a
/// message whose pointers overlap cannot pretend to be much larger than it is.
pub const TRAVERSAL_WORDS_MAX: usize = 2 * MESSAGE_BYTES_MAX / 8;
/// Pointers that may be followed one after the other while a message is read.
pub const NESTING_MAX: i32 = 32;
/// Messages that wait to be written. A peer that lets more of them pile up does not read, and is
/// cut off.
pub const MESSAGES_QUEUED_MAX: usize = 1_024;
/// Heartbeats and reports of one worker that are being answered at the same time.
pub const CALLS_IN_FLIGHT_MAX: usize = 8;

/// Bytes of a proof, which is an HMAC-SHA256.
pub const PROOF_BYTES_MAX: usize = 32;

/// Time for each heartbeat of a worker in the long run; they come once a second, and every 100 ms
/// while users move.
pub const HEARTBEAT_INTERVAL_MIN: Duration = Duration::from_millis(10);
/// Heartbeats of a worker in a row. Well above what waits for one that does not read.
pub const HEARTBEATS_BURST: u32 = 4_000;
/// Time for each report of a worker in the long run; it makes one a second.
pub const REPORT_INTERVAL_MIN: Duration = Duration::from_millis(50);
/// Reports of a worker in a row: all that one keeps while its master is away, twice.
pub const REPORTS_BURST: u32 = 2_000;
/// Time for each fetch of a module in the long run; a worker needs one.
pub const FETCH_INTERVAL_MIN: Duration = Duration::from_secs(6);
/// Fetches of a worker in a row: as many interruptions as a bad line may have.
pub const FETCHES_BURST: u32 = 20;
/// Time for each message of a peer of whatever kind in the long run. A module of 1 GiB takes
/// 16,384 answers.
pub const MESSAGE_INTERVAL_MIN: Duration = Duration::from_micros(20);
/// Messages of a peer in a row.
pub const MESSAGES_BURST: u32 = 100_000;

/// Bytes of a module that travel in one message.
pub const MODULE_CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that a receiver holds until its sink takes them. The sender's flow control keeps two
/// on their way.
pub const MODULE_CHUNKS_QUEUED_MAX: usize = 8;
/// Bytes of the largest module.
pub const MODULE_BYTES_MAX: u64 = 1 << 30;

/// Bytes of a program version.
pub const VERSION_BYTES_MAX: usize = 256;
/// Threads of a worker.
pub const CORES_MAX: u32 = 65_536;
/// Bytes of a reason for a refusal, a problem, an end.
pub const REASON_BYTES_MAX: usize = 16 * 1024;

/// Classes in an order or a heartbeat, and the highest class index plus one.
pub const CLASSES_MAX: u32 = 10_000;
/// Users in one order, and those of them that move or have finished.
pub const ORDER_USERS_MAX: u64 = 10_000_000;
/// Runs of user ids in one order, those of users that move included; in one heartbeat, those of
/// users that have finished. A run is a word.
pub const ORDER_RUNS_MAX: u32 = 1_000_000;
/// Rebalances that one order tells of.
pub const ORDER_MOVES_MAX: u32 = 1_000;

/// (method, name) pairs in one report.
pub const REPORT_ENTRIES_MAX: u32 = 10_000;
/// Kinds of failures in one report.
pub const REPORT_ERRORS_MAX: u32 = 50_000;
/// Kinds of exceptions in one report.
pub const REPORT_EXCEPTIONS_MAX: u32 = 10_000;
/// Metrics of the guest's own in one report.
pub const REPORT_METRICS_MAX: u32 = 2_000;
/// Bytes of a method, and of a metric's name.
pub const METHOD_BYTES_MAX: usize = 1_024;
/// Bytes of a name or an error text.
pub const NAME_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an exception's message or trace.
pub const TRACE_BYTES_MAX: usize = 256 * 1024;

/// Addresses in one report.
pub const REPORT_ADDRESSES_MAX: u32 = 10_000;
/// Bytes of an address and its port.
pub const ADDRESS_BYTES_MAX: usize = 64;

/// Load threads whose lateness one report tells.
pub const REPORT_SHARDS_MAX: u32 = 4_096;

/// Bytes of one encoded histogram. All its buckets filled to [`COUNT_MAX`] take less.
pub const HISTOGRAM_BYTES_MAX: usize = 512 * 1024;
/// Largest value of a histogram of times, in microseconds: 1 h and what shares its bucket.
pub const HISTOGRAM_TIME_US_MAX: u64 = 3_600_809_983;

/// Largest count in one report. Room for 16 million such reports in a sum of 64 bits.
pub const COUNT_MAX: u64 = 1 << 40;
/// Largest sum of bytes or microseconds in one report.
pub const SUM_MAX: u64 = 1 << 53;
/// Latest time of a clock, in milliseconds: about 8,900 years.
pub const CLOCK_MS_MAX: u64 = 1 << 48;
/// Longest span of time, in milliseconds: a bit more than ten years.
pub const SPAN_MS_MAX: u64 = 320_000_000_000;
