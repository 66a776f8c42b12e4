//! The reports, made from fixed samples and read back.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use csv::StringRecord;
use swarm_stats::delta::Report;
use swarm_stats::lateness::{LatenessMs, WorkerLateness};
use swarm_stats::report::csv::{
    harmless, write_exceptions, write_failures, write_history, write_history_head, write_stats,
};
use swarm_stats::report::json::{Summary, SummaryError, WorkerSummary};
use swarm_stats::report::table::{self, Layout, Progress, Rates};
use swarm_stats::snapshot::{EntrySnapshot, Snapshot};
use swarm_stats::{AddressCounts, ConnectionCounts, Limits, Recorder, Sample, Totals};

/// 2024-05-17T09:30:00Z.
const ORIGIN_UNIX_MS: u64 = 1_715_938_200_000;

fn connections([opened, reused, failed, resent]: [u64; 4]) -> ConnectionCounts {
    ConnectionCounts { opened, reused, failed, resent }
}

/// A test of ten seconds with two names, a failure, an exception and a metric of each kind.
fn snapshot() -> Snapshot {
    let mut totals = Totals::new(Limits::default());
    totals.start(0);
    for second in 0..10 {
        let mut recorder = Recorder::new(Limits::default());
        let home = recorder.intern("GET", "/");
        let cart = recorder.intern("POST", "/cart, with \"quotes\"");
        for number in 1..=100 {
            let sample = Sample {
                response_time_us: number * 123,
                bytes: 512,
                connections: connections([u64::from(number == 1), u64::from(number > 1), 0, 0]),
                at_ms: second * 1_000,
                ..Sample::default()
            };
            recorder.record(home, sample);
        }
        let error = (second > 7).then_some("status 503 \u{1b}[31mred");
        let at_ms = second * 1_000 + 250;
        let (failed, resent) = (u64::from(second == 8), u64::from(second == 7));
        let sample = Sample {
            response_time_us: 1_234_567,
            bytes: 33,
            error,
            unanswered: second == 8,
            connections: connections([1 - failed, 0, failed, resent]),
            at_ms,
        };
        recorder.record(cart, sample);
        recorder.interrupted(&connections([0, 1, 0, 1]));
        recorder.unsent();
        let counts = |requests, failed| AddressCounts { opened: 1, failed, requests, failures: 0 };
        recorder.address(Some(([10, 0, 0, 1], 80).into()), counts(100, 0));
        recorder.address(Some(([0u16, 0, 0, 0, 0, 0, 0, 1], 8080).into()), counts(1, failed));
        recorder.count("orders", 1.5).unwrap();
        recorder.gauge("queue", 3.0, at_ms).unwrap();
        recorder.trend("rows", 12.25).unwrap();
        recorder.check("signed in", second > 0).unwrap();
        if second == 4 {
            recorder.exception("unreachable executed", "at checkout::pay\nat checkout::run");
        }
        totals.set_users(second * 1_000, 25);
        totals.set_in_flight(second * 1_000, second);
        let (from_ms, to_ms) = (second * 1_000, second * 1_000 + 1_000);
        let delta = recorder.drain();
        let report = Report { stream: 1, sequence: second + 1, from_ms, to_ms, test: 1, delta };
        totals.apply("worker_1", &report);
    }
    totals.stop(10_000);
    totals.snapshot(12_000)
}

fn parse(text: &[u8]) -> (StringRecord, Vec<StringRecord>) {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().unwrap().clone();
    (header, reader.records().map(Result::unwrap).collect())
}

fn written(
    write: impl FnOnce(&mut Vec<u8>) -> csv::Result<()>,
) -> (StringRecord, Vec<StringRecord>) {
    let mut text = Vec::new();
    write(&mut text).unwrap();
    parse(&text)
}

#[test]
fn csv_stats_have_the_columns_of_locust() {
    let (header, rows) = written(|out| write_stats(out, &snapshot()));
    let columns = "Type,Name,Request Count,Failure Count,Median Response Time,\
        Average Response Time,Min Response Time,Max Response Time,Average Content Size,\
        Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,\
        Resent Count,Unanswered Count";
    assert_eq!(header, columns.split(',').collect::<Vec<_>>());
    let first: Vec<_> = rows[0].iter().take(12).collect();
    let expected =
        ["GET", "/", "1000", "0", "6.151", "6.212", "0.123", "12.3", "512", "100", "0", "6.151"];
    assert_eq!(first, expected);
    let second: Vec<_> = rows[1].iter().take(5).collect();
    assert_eq!(second, ["POST", "/cart, with \"quotes\"", "10", "2", "1234.567"]);
    let last: Vec<_> = rows[2].iter().take(4).collect();
    assert_eq!(last, ["", "Aggregated", "1010", "2"]);
    assert_eq!(&rows[2][21], "1234.567", "100% is the true maximum");
    let own: Vec<_> = rows.iter().map(|row| [&row[22], &row[23]]).collect();
    assert_eq!(own, [["0", "0"], ["1", "1"], ["1", "1"]], "behind Locust's columns");
}

#[test]
fn csv_of_an_empty_test_has_no_percentiles() {
    let snapshot = Totals::new(Limits::default()).snapshot(0);
    let (_, rows) = written(|out| write_stats(out, &snapshot));
    assert_eq!((rows.len(), &rows[0][4], &rows[0][11]), (1, "0", "N/A"));
}

#[test]
fn csv_failures_and_exceptions_read_back() {
    let (header, rows) = written(|out| write_failures(out, &snapshot(), ORIGIN_UNIX_MS));
    assert_eq!(header, vec!["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"]);
    let seen = ["2024-05-17T09:30:08.25Z", "2024-05-17T09:30:09.25Z"];
    let name = "/cart, with \"quotes\"";
    let error = "status 503 \u{1b}[31mred";
    assert_eq!(rows, [vec!["POST", name, error, "2", seen[0], seen[1]]]);

    let (header, rows) = written(|out| write_exceptions(out, &snapshot()));
    assert_eq!(header, vec!["Count", "Message", "Traceback", "Nodes"]);
    let trace = "at checkout::pay\nat checkout::run";
    assert_eq!(rows, [vec!["1", "unreachable executed", trace, "worker_1"]]);
}

#[test]
fn texts_that_a_spreadsheet_would_run_are_made_harmless() {
    for formula in
        ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "+inf"]
    {
        assert_eq!(harmless(formula), format!("'{formula}"));
    }
    for harmless_already in ["", "/cart?a=1", "'=1", "-5", "+1e3", " x", "GET"] {
        assert_eq!(harmless(harmless_already), harmless_already);
    }
    let mut snapshot = snapshot();
    "=1+2".clone_into(&mut snapshot.entries[0].name);
    "@x".clone_into(&mut snapshot.entries[0].method);
    "-3".clone_into(&mut snapshot.entries[1].name);
    "=HYPERLINK(A1)".clone_into(&mut snapshot.errors[0].error);
    "+message".clone_into(&mut snapshot.exceptions[0].message);
    "-trace".clone_into(&mut snapshot.exceptions[0].trace);
    snapshot.exceptions[0].nodes = vec!["=id".to_owned()];
    let (_, rows) = written(|out| write_stats(out, &snapshot));
    let names: Vec<_> = rows.iter().map(|row| (&row[0], &row[1])).collect();
    assert_eq!(names, [("'@x", "'=1+2"), ("POST", "-3"), ("", "Aggregated")]);
    let (_, rows) = written(|out| write_failures(out, &snapshot, ORIGIN_UNIX_MS));
    assert_eq!(&rows[0][2], "'=HYPERLINK(A1)");
    let (_, rows) = written(|out| write_exceptions(out, &snapshot));
    assert_eq!(rows, [vec!["1", "'+message", "'-trace", "'=id"]]);
    let (_, rows) = history(&snapshot, true);
    assert_eq!(&rows[0][3], "'=1+2");
}

/// The history with one moment.
fn history(snapshot: &Snapshot, full: bool) -> (StringRecord, Vec<StringRecord>) {
    written(|out| {
        write_history_head(&mut *out)?;
        write_history(out, snapshot, 25, ORIGIN_UNIX_MS, full)
    })
}

#[test]
fn a_full_history_has_the_percentiles_of_the_last_seconds() {
    let mut snapshot = snapshot();
    snapshot.entries[0].current_percentiles_ms = Some([7.5; 11]);
    snapshot.entries[1].current_percentiles_ms = None;
    let (_, rows) = history(&snapshot, true);
    let medians: Vec<_> = rows.iter().map(|row| &row[6]).take(2).collect();
    assert_eq!(medians, ["7.5", "0"]);
    let (_, rows) = history(&snapshot, false);
    assert_eq!((rows.len(), &rows[0][3]), (1, "Aggregated"));
    let median = snapshot.total.response_time_ms.median.to_string();
    assert_eq!(rows[0][6], median);
}

#[test]
fn csv_history_has_the_columns_of_locust() {
    let snapshot = snapshot();
    let (header, rows) = written(|out| {
        write_history_head(&mut *out)?;
        write_history(&mut *out, &snapshot, 25, ORIGIN_UNIX_MS, true)?;
        write_history(out, &snapshot, 25, ORIGIN_UNIX_MS + 1_000, false)
    });
    let columns = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,\
        98%,99%,99.9%,99.99%,100%,Total Request Count,Total Failure Count,\
        Total Median Response Time,Total Average Response Time,Total Min Response Time,\
        Total Max Response Time,Total Average Content Size";
    assert_eq!(header, columns.split(',').collect::<Vec<_>>());
    assert_eq!(rows.len(), 4, "each entry and the aggregate, and the aggregate alone");
    let first: Vec<_> = rows[0].iter().take(6).collect();
    assert_eq!(first, ["1715938200", "25", "GET", "/", "100", "0"]);
    assert_eq!((&rows[2][3], &rows[2][17]), ("Aggregated", "1010"));
    assert_eq!((&rows[3][0], &rows[3][3]), ("1715938201", "Aggregated"));
}

#[test]
fn json_reads_back_and_has_the_promised_fields() {
    let summary = Summary {
        scenario: "shop.wasm".to_owned(),
        module_digest: "ab".repeat(32),
        host: Some("http://127.0.0.1:8080".to_owned()),
        started_at: swarm_stats::report::rfc3339(ORIGIN_UNIX_MS),
        clock_origin_unix_ms: ORIGIN_UNIX_MS,
        duration_s: 10.0,
        users_max: 25,
        exit_reason: "run time is over".to_owned(),
        notices: vec!["worker_1 was lost".to_owned()],
        workers: vec![WorkerSummary {
            id: "worker_1".to_owned(),
            users_max: 25,
            num_requests: 1_010,
            lateness_ms: Some(WorkerLateness {
                all: LatenessMs { p99: 0.5, max: 250.0 },
                worst_shard: 1,
                worst: LatenessMs { p99: 0.9, max: 250.0 },
                late: false,
            }),
            left: false,
            lost: true,
            lost_detail: Some("closed at 12.3 s, last report at 11.9 s".to_owned()),
        }],
        ..Summary::new(snapshot())
    };
    let text = summary.to_json();
    assert_eq!(Summary::from_json(&text).unwrap(), summary);
    assert_eq!(Summary::from_json(&text).unwrap().into_statistics(), snapshot());

    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema_version"], 1);
    assert_eq!(value["started_at"], "2024-05-17T09:30:00Z");
    assert_eq!(value["total"]["num_requests"], 1_010);
    let entry = &value["entries"][0];
    assert_eq!((&entry["name"], &entry["rps"]), (&"/".into(), &100.0.into()));
    let late = serde_json::json!({
        "p99": 0.5, "max": 250.0, "worst_shard": 1, "worst": {"p99": 0.9, "max": 250.0},
        "late": false
    });
    assert_eq!(value["workers"][0]["lateness_ms"], late);
    let times = &entry["response_time_ms"];
    assert_eq!((&times["min"], &times["max"]), (&0.123.into(), &12.3.into()));
    for figure in ["median", "mean", "p95", "p99", "p99_9"] {
        assert!(times[figure].is_f64(), "{figure} is {}", times[figure]);
    }
    assert_eq!(value["percentile_levels"].as_array().unwrap().len(), 11);
    assert_eq!(value["errors"][0]["occurrences"], 2);
    assert_eq!(value["exceptions"][0]["nodes"][0], "worker_1");
    assert_eq!(value["metrics"][0]["kind"], "count");
    assert_eq!(value["workers"][0]["lost"], true);
    assert_eq!(value["seconds"].as_array().unwrap().len(), 10);
    assert_eq!((&value["interrupted"], &value["unsent"]), (&10.into(), &10.into()));
    let taken = serde_json::json!({"opened": 19, "reused": 1_000, "failed": 1, "resent": 11});
    assert_eq!(value["connections"], taken, "those of interrupted requests, too");
    let of_address = serde_json::json!({
        "address": "10.0.0.1:80", "opened": 10, "failed": 0, "num_requests": 1_000,
        "num_failures": 0,
    });
    assert_eq!((&value["addresses"][0], &value["addresses"][2]), (&of_address, &().into()));
    let (cart, total) = (&value["entries"][1], &value["total"]);
    for line in [cart, total] {
        assert_eq!((&line["num_resent"], &line["num_unanswered"]), (&1.into(), &1.into()));
    }
    assert_eq!(value["seconds"][7]["in_flight"], 7);
}

#[test]
fn json_of_before_connections_were_counted_is_still_read() {
    let text = Summary::new(snapshot()).to_json();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fields = value.as_object_mut().unwrap();
    for new in ["connections", "addresses", "unsent", "in_flight", "nothing_answered"] {
        fields.remove(new).unwrap_or_else(|| panic!("{new} is no field"));
    }
    value["total"].as_object_mut().unwrap().remove("num_resent").unwrap();
    value["seconds"][0].as_object_mut().unwrap().remove("in_flight").unwrap();
    let read = Summary::from_json(&value.to_string()).unwrap();
    assert_eq!((read.connections, read.total.num_resent), (ConnectionCounts::default(), 0));
}

#[test]
fn json_of_another_version_is_refused_with_both_sides_named() {
    let error = Summary::from_json(r#"{"schema_version": 7}"#).unwrap_err();
    assert!(matches!(error, SummaryError::Version { found: 7 }));
    assert!(error.to_string().contains("version 7, this program reads 1"), "{error}");
    assert!(matches!(Summary::from_json("[]").unwrap_err(), SummaryError::Parse(_)));
}

#[test]
fn tables_are_plain_text() {
    let (snapshot, full) = (snapshot(), Layout::default());
    let line = Progress { elapsed_ms: 3_723_000, state: "running", users: 25, in_flight: 7 };
    let tables = [
        table::progress(&line, &snapshot, full),
        table::statistics(&snapshot, Rates::Whole, full),
        table::connections(&snapshot),
        table::addresses(&snapshot, full),
        table::percentiles(&snapshot, full),
        table::errors(&snapshot, full),
        table::exceptions(&snapshot, full),
        table::metrics(&snapshot, full),
    ];
    let found = tables.join("\n");
    assert_eq!(found, include_str!("tables.txt"), "found:\n{found}");
}

#[test]
fn tables_without_lines_are_empty() {
    let (empty, full) = (Snapshot::default(), Layout::default());
    let texts = [
        table::addresses(&empty, full),
        table::errors(&empty, full),
        table::exceptions(&empty, full),
        table::metrics(&empty, full),
    ];
    assert_eq!(texts, [""; 4]);
    assert_eq!(table::connections(&empty), "");
    assert!(!table::statistics(&empty, Rates::Current, full).contains("resent"));
    assert!(table::statistics(&empty, Rates::Current, full).contains("0(0.00%)"));
}

#[test]
fn a_long_name_is_whole_in_a_file_and_fits_a_terminal() {
    let mut snapshot = snapshot();
    let name = "/ä".repeat(200);
    snapshot.entries[0].name.clone_from(&name);
    snapshot.errors[0].name.clone_from(&name);
    snapshot.errors[0].error = "a long story ".repeat(30);
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
    let full = Layout::default();
    let table = table::statistics(&snapshot, Rates::Current, full);
    assert!(table.contains(&format!("GET   {name}  ")), "{table}");
    for columns in [60, 80, 100, 120, 200] {
        let fitting = Layout { width: Some(columns), ..full };
        for table in [
            table::statistics(&snapshot, Rates::Current, fitting),
            table::percentiles(&snapshot, fitting),
            table::errors(&snapshot, fitting),
            table::metrics(&snapshot, fitting),
        ] {
            assert!(widest(&table) <= columns, "{columns}:\n{table}");
        }
        let errors = table::errors(&snapshot, fitting);
        assert_eq!(errors.matches("story").count(), 30, "{errors}");
    }
    let narrow = table::percentiles(&snapshot, Layout { width: Some(80), ..full });
    for level in [" 50%", " 95%", " 99%", "100%"] {
        assert!(narrow.contains(level), "{narrow}");
    }
}

#[test]
fn the_most_frequent_errors_come_first() {
    let mut snapshot = snapshot();
    for (occurrences, text) in [(7, "seven"), (70, "seventy"), (1, "one")] {
        let mut error = snapshot.errors[0].clone();
        (error.occurrences, error.error) = (occurrences, text.to_owned());
        snapshot.errors.push(error);
    }
    let table = table::errors(&snapshot, Layout::default());
    let counts: Vec<_> =
        table.lines().skip(3).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(counts, ["70", "7", "2", "1"], "{table}");
}

#[test]
fn the_busiest_names_are_kept_in_their_order() {
    let mut snapshot = snapshot();
    let entry = snapshot.entries[0].clone();
    snapshot.entries.extend((0..10).map(|number| {
        let name = format!("/{number}");
        EntrySnapshot { name, num_requests: number * 1_000, ..entry.clone() }
    }));
    let few = Layout { names_max: Some(3), ..Layout::default() };
    let table = table::statistics(&snapshot, Rates::Whole, few);
    let names: Vec<_> = table.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert!(table.contains("(9 more names)"), "{table}");
    assert_eq!(&names[1..5], ["/7", "/8", "/9", "more"], "{table}");
    assert!(table.contains("Aggregated"), "{table}");
}

#[test]
fn failures_are_red_and_totals_bold_where_there_are_colours() {
    let snapshot = snapshot();
    let styled = Layout { styled: true, ..Layout::default() };
    let table = table::statistics(&snapshot, Rates::Whole, styled);
    assert!(table.contains("\u{1b}[31m2(20.00%)\u{1b}[0m"), "{table:?}");
    assert!(table.contains("\u{1b}[1mAggregated\u{1b}[0m"), "{table:?}");
    assert!(table.contains("  0(0.00%) |"), "nothing has failed there: {table:?}");
    let line = Progress { elapsed_ms: 0, state: "running", users: 25, in_flight: 0 };
    let line = table::progress(&line, &snapshot, styled);
    assert!(line.contains("\u{1b}[31m2(0.20%) failed\u{1b}[0m"), "{line:?}");
}
