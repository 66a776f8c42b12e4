//! The reports, made from fixed samples and read back.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;

use csv::StringRecord;
use swarm_stats::delta::Report;
use swarm_stats::lateness::{LatenessMs, WorkerLateness};
use swarm_stats::report::csv::{CsvFiles, write_exceptions, write_failures, write_stats};
use swarm_stats::report::json::{Summary, SummaryError, WorkerSummary};
use swarm_stats::report::table::{self, NAME_WIDTH_MAX, Progress, Rates};
use swarm_stats::snapshot::Snapshot;
use swarm_stats::{ConnectionCounts, Limits, Recorder, Sample, Totals};

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
fn csv_files_are_written_under_the_prefix() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("run").to_str().unwrap().to_owned();
    let snapshot = snapshot();
    let mut files = CsvFiles::create(&prefix, true).unwrap();
    for second in 0..3 {
        files.add_history(&snapshot, 25, ORIGIN_UNIX_MS + second * 1_000).unwrap();
        files.write_tables(&snapshot, ORIGIN_UNIX_MS).unwrap();
    }
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected =
        ["run_exceptions.csv", "run_failures.csv", "run_stats.csv", "run_stats_history.csv"];
    assert_eq!(names, expected);

    let (header, rows) = parse(&fs::read(format!("{prefix}_stats_history.csv")).unwrap());
    let columns = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,\
        98%,99%,99.9%,99.99%,100%,Total Request Count,Total Failure Count,\
        Total Median Response Time,Total Average Response Time,Total Min Response Time,\
        Total Max Response Time,Total Average Content Size";
    assert_eq!(header, columns.split(',').collect::<Vec<_>>());
    assert_eq!(rows.len(), 9, "a line for each entry and the aggregate, three times");
    let first: Vec<_> = rows[3].iter().take(6).collect();
    assert_eq!(first, ["1715938201", "25", "GET", "/", "100", "0"]);
    assert_eq!((&rows[8][3], &rows[8][17]), ("Aggregated", "1010"));

    let missing = directory.path().join("no/such/run");
    let error = CsvFiles::create(missing.to_str().unwrap(), false).unwrap_err();
    assert!(error.to_string().contains("no/such/run_stats_history.csv"), "{error}");
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
            }),
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
        "p99": 0.5, "max": 250.0, "worst_shard": 1, "worst": {"p99": 0.9, "max": 250.0}
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
    for new in ["connections", "unsent", "in_flight", "nothing_answered"] {
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
    let snapshot = snapshot();
    let line = Progress { elapsed_ms: 3_723_000, state: "running", users: 25, in_flight: 7 };
    let tables = [
        table::progress(&line, &snapshot),
        table::statistics(&snapshot, Rates::Whole),
        table::connections(&snapshot),
        table::percentiles(&snapshot),
        table::errors(&snapshot),
        table::exceptions(&snapshot),
        table::metrics(&snapshot),
    ];
    let found = tables.join("\n");
    assert_eq!(found, include_str!("tables.txt"), "found:\n{found}");
}

#[test]
fn tables_without_lines_are_empty() {
    let empty = Snapshot::default();
    let texts = [table::errors(&empty), table::exceptions(&empty), table::metrics(&empty)];
    assert_eq!(texts, [""; 3]);
    assert_eq!(table::connections(&empty), "");
    assert!(!table::statistics(&empty, Rates::Current).contains("resent"));
    assert!(table::statistics(&empty, Rates::Current).contains("0(0.00%)"));
}

#[test]
fn a_long_name_widens_its_column_up_to_a_cap() {
    let mut snapshot = snapshot();
    snapshot.entries[0].name = "/ä".repeat(200);
    let table = table::statistics(&snapshot, Rates::Current);
    let cut: String = "/ä".repeat(200).chars().take(NAME_WIDTH_MAX - 1).chain(['…']).collect();
    assert!(table.contains(&format!("GET   {cut}  ")), "{table}");
    let widths: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
}
