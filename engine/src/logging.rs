//! Log lines on standard error, for people.

use std::fmt;
use std::io;

use anstyle::{AnsiColor, Style};
use time::{OffsetDateTime, UtcOffset};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogLevel;
use crate::terminal::Stream;

/// What a guest says.
const SCENARIO: &str = "scenario";

/// What parts of a cluster tell each other. Of no interest where all of them are one process.
const AMONG_PARTS: [&str; 4] =
    ["swarm_wire", "swarm_node::worker", "swarm_node::shard", "swarm_node::master::members"];

/// Distance of the local time to UTC. Only to be asked before there is a second thread, which could
/// change the environment meanwhile; UTC where it is not known.
pub(crate) fn local_offset() -> UtcOffset {
    UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC)
}

/// Sends log lines of `level` and above to a stream. In `one_process` the parts of a cluster say
/// only what is wrong. The first call counts.
pub(crate) fn start(level: LogLevel, stream: &Stream, offset: UtcOffset, one_process: bool) {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    };
    // Libraries have their say when something is wrong.
    let mut targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("swarm", level)
        .with_target(SCENARIO, level);
    if one_process && level == LevelFilter::INFO {
        let quiet = AMONG_PARTS.map(|target| (target, LevelFilter::WARN));
        targets = targets.with_targets(quiet);
    }
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { offset, short: stream.is_terminal(), level })
        .with_ansi(stream.has_colours())
        .with_writer(Log(stream.clone()));
    // Tests in one process may have started it before.
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
}

/// A panic is a line of the log like others. The standard library would write it by itself, and
/// wait for whoever reads.
pub(crate) fn log_panics(stream: &Stream) {
    let stream = stream.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("without a name");
        let trace = std::backtrace::Backtrace::capture();
        let trace = match trace.status() {
            std::backtrace::BacktraceStatus::Captured => format!("\n{trace}"),
            _ => " (RUST_BACKTRACE=1 shows where it came from)".to_owned(),
        };
        stream.print(format!("thread {name} {panic}{trace}\n"));
    }));
}

/// The stream as the place of lines. Each is handed over in one piece.
#[derive(Debug)]
struct Log(Stream);

impl<'a> MakeWriter<'a> for Log {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter(&self.0)
    }
}

struct LineWriter<'a>(&'a Stream);

impl io::Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.print(String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a line looks like: the time, how severe it is, who says it unless that is swarm, and what.
struct Lines {
    offset: UtcOffset,
    /// For somebody who looks on: the time of day is enough.
    short: bool,
    level: LevelFilter,
}

impl Lines {
    fn time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let now = OffsetDateTime::now_utc().to_offset(self.offset);
        let (hour, minute, second) = now.to_hms();
        if self.short {
            return write!(out, "{hour:02}:{minute:02}:{second:02} ");
        }
        let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        write!(out, ".{:03}", now.millisecond())?;
        let (hours, minutes, _) = self.offset.as_hms();
        let sign = if self.offset.is_negative() { '-' } else { '+' };
        write!(out, "{sign}{:02}:{:02} ", hours.unsigned_abs(), minutes.unsigned_abs())
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        self.time(&mut out)?;
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let style = if out.has_ansi_escapes() { style(level) } else { Style::new() };
        write!(out, "{style}{level:>5}{style:#} ")?;
        let is_ours = target.starts_with("swarm");
        if !is_ours || self.level > LevelFilter::INFO {
            write!(out, "{target}: ")?;
        }
        context.format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

fn style(level: Level) -> Style {
    match level {
        Level::ERROR => AnsiColor::Red.on_default().bold(),
        Level::WARN => AnsiColor::Yellow.on_default().bold(),
        Level::INFO => AnsiColor::Green.on_default(),
        _ => Style::new().dimmed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds_east: i32, short: bool) -> String {
        let offset = UtcOffset::from_whole_seconds(seconds_east).unwrap();
        let lines = Lines { offset, short, level: LevelFilter::INFO };
        let mut text = String::new();
        lines.time(&mut Writer::new(&mut text)).unwrap();
        text
    }

    #[test]
    fn times_are_local_and_say_so_unless_somebody_looks_on() {
        assert_eq!(time(0, true).len(), "12:34:56 ".len());
        assert!(time(0, false).ends_with("+00:00 "), "{}", time(0, false));
        assert!(time(-12_600, false).ends_with("-03:30 "), "{}", time(-12_600, false));
        assert!(time(3_600, false).ends_with("+01:00 "), "{}", time(3_600, false));
    }
}
