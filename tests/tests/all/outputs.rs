//! Output that cannot be written: what is printed may be lost, load, control and results are not.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Read, Write, pipe};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use swarm_stats::report::json::Summary;
use swarm_tests::{
    PATIENCE, Process, Signal, Streams, Swarm, Target, get, in_shell, wait_for, wait_until,
};

use crate::guests::Guest;
use crate::verdict::{OUTPUT, SETTINGS, refused, summary};

const RUN: [&str; 10] =
    ["run", "sound.wasm", "--headless", "-u", "3", "-r", "100", "-s", "60", "-H"];
const RESULTS: [&str; 4] = ["--json-file", "result.json", "--csv", "result"];
const CSV: [&str; 4] = ["exceptions", "failures", "stats", "stats_history"];

fn swarm_with_scenario() -> (Swarm, Target) {
    let swarm = Swarm::new();
    Guest::visiting(&["/", "/about"]).write(&swarm, "sound");
    let target = swarm.target(&[]);
    (swarm, target)
}

/// All results are there, whole, and agree with what the target has counted.
#[track_caller]
pub(crate) fn results_are_whole(swarm: &Swarm, target: &Target) {
    let summary = summary(swarm);
    assert_eq!(summary.total.num_requests, target.counts().total);
    assert!(summary.total.num_requests > 0);
    csv_is_whole(swarm, &summary);
    let left: Vec<_> =
        names(swarm.folder()).into_iter().filter(|name| is_temporary(name)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The CSV files say what the summary says.
#[track_caller]
fn csv_is_whole(swarm: &Swarm, summary: &Summary) {
    let [_, failures, stats, history] = CSV.map(|table| {
        let text = fs::read_to_string(swarm.folder().join(format!("result_{table}.csv")));
        let text = text.unwrap_or_else(|error| panic!("{table}: {error}"));
        assert!(text.ends_with('\n'), "{table} ends in the middle of a line");
        text
    });
    assert_eq!(failures.lines().count(), 1 + summary.errors.len());
    assert_eq!(stats.lines().count(), 2 + summary.entries.len());
    let total = format!(",Aggregated,{},", summary.total.num_requests);
    assert!(stats.contains(&total), "{total} is not in:\n{stats}");
    let fields = |line: &str| line.matches(',').count();
    let head = history.lines().next().map(fields);
    assert!(history.lines().all(|line| Some(fields(line)) == head), "{history}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is there");
    entries.map(|entry| entry.expect("it is").file_name().to_string_lossy().into_owned()).collect()
}

fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".new")
}

/// A pipe that nobody reads, and that is full.
fn unread() -> (PipeReader, Stdio) {
    let (reader, mut writer) = pipe().expect("there are pipes");
    let at_once = Timespec::default();
    while poll(&mut [PollFd::new(&writer, PollFlags::OUT)], Some(&at_once)) == Ok(1) {
        writer.write_all(&[b'x'; 4096]).expect("it takes them");
    }
    (reader, Stdio::from(writer))
}

/// A scenario whose users log twenty lines of four kilobytes with each request.
fn chatty(swarm: &Swarm) {
    let log = "(call $log (i32.const 2) (global.get $line) (global.get $line_len))";
    let guest = Guest::visiting(&["/", "/about"]).text("line", &"word ".repeat(800));
    guest.and_run(&log.repeat(20)).write(swarm, "sound");
}

#[test]
fn a_reader_of_standard_output_that_goes_away_ends_nothing() {
    let (swarm, target) = swarm_with_scenario();
    let command = swarm.command(&[&RUN[..], &[&target.url()], &RESULTS].concat());
    let (reader, writer) = pipe().expect("there are pipes");
    let streams = Streams { out: Some(writer.into()), err: None };
    let mut run = Process::spawn_onto("run", command, streams);
    // As `| head -1` does.
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).expect("a line");
    let before = target.counts().total;
    target.wait_for_requests(before + 20);
    wait_until("it is told", PATIENCE, || run.err.find("nobody reads standard output").is_some());
    run.signal(Signal::INT);
    assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());
    assert_eq!(run.err.text().matches("nobody reads").count(), 1);
    results_are_whole(&swarm, &target);
}

#[test]
fn streams_that_are_full_or_closed_end_nothing() {
    for script in [
        r#"exec "$@" >/dev/full"#,
        r#"exec "$@" 2>/dev/full"#,
        r#"exec "$@" >/dev/full 2>&1"#,
        r#"exec "$@" >&-"#,
        r#"exec "$@" 2>&-"#,
        r#"exec "$@" >&- 2>&- <&-"#,
        // Open, but not for writing.
        r#"exec "$@" 1</dev/null 2</dev/null"#,
    ] {
        let (swarm, target) = swarm_with_scenario();
        let command = swarm.command(&[&RUN[..], &[&target.url()], &RESULTS].concat());
        let mut run = Process::spawn("run", in_shell(script, &command));
        target.wait_for_requests(20);
        run.signal(Signal::INT);
        assert_eq!(run.wait(PATIENCE).code(), Some(0), "{script}: {}", run.err.text());
        results_are_whole(&swarm, &target);
    }
}

#[test]
fn standard_output_that_nobody_reads_holds_up_neither_page_nor_end() {
    let (swarm, target) = swarm_with_scenario();
    let arguments =
        ["run", "sound.wasm", "--web-port", "0", "--autostart", "-u", "3", "-s", "60", "-H"];
    let command = swarm.command(&[&arguments[..], &[&target.url()], &RESULTS].concat());
    let (_reader, unread) = unread();
    let streams = Streams { out: Some(unread), err: None };
    let mut run = Process::spawn_onto("run", command, streams);
    let page = run.wait_for_value("web interface on ");
    let requests = || {
        let stats = get(&format!("{page}/stats/requests")).json();
        stats["stats"][2]["num_requests"].as_u64().unwrap_or(0)
    };
    // Long enough for many lines: the pipe takes one or two.
    for _ in 0..3 {
        let before = requests();
        wait_until("the page goes on", PATIENCE, || requests() > before + 20);
    }
    run.signal(Signal::INT);
    assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());
    results_are_whole(&swarm, &target);
}

#[test]
fn streams_that_nobody_reads_do_not_keep_a_headless_test_from_its_end() {
    let swarm = Swarm::new();
    chatty(&swarm);
    let target = swarm.target(&[]);
    let command = swarm.command(&[&RUN[..], &[&target.url(), "-t", "3"], &RESULTS].concat());
    let ((_out, unread_out), (_err, unread_err)) = (unread(), unread());
    let streams = Streams { out: Some(unread_out), err: Some(unread_err) };
    let mut run = Process::spawn_onto("run", command, streams);
    target.wait_for_requests(50);
    assert_eq!(run.wait(PATIENCE).code(), Some(0));
    results_are_whole(&swarm, &target);
}

#[test]
fn a_reader_that_comes_back_is_told_what_it_has_missed() {
    let swarm = Swarm::new();
    chatty(&swarm);
    let target = swarm.target(&[]);
    let command = swarm.command(&[&RUN[..], &[&target.url()], &RESULTS].concat());
    let (reader, unread_err) = unread();
    let streams = Streams { out: None, err: Some(unread_err) };
    let mut run = Process::spawn_onto("run", command, streams);
    // A mebibyte waits, and no more.
    target.wait_for_requests(100);
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        BufReader::new(reader).read_to_string(&mut text).map(|_| text)
    });
    run.signal(Signal::INT);
    assert_eq!(run.wait(PATIENCE).code(), Some(0));
    let text = reading.join().expect("no panic").expect("it is text");
    assert!(text.contains(" lines were left out ...]\n"), "{}", text.len());
    assert!(text.contains("the test has ended"));
    results_are_whole(&swarm, &target);
}

#[test]
fn a_result_that_cannot_be_written_takes_no_other_along() {
    for (gone, kept) in [("a", "b"), ("b", "a")] {
        let (swarm, target) = swarm_with_scenario();
        for folder in ["a", "b"] {
            fs::create_dir(swarm.folder().join(folder)).expect("it is new");
        }
        let results = ["--json-file", "a/result.json", "--csv", "b/result"];
        let command = swarm.command(&[&RUN[..], &[&target.url()], &results].concat());
        let mut run = Process::spawn("run", command);
        let history = swarm.folder().join("b/result_stats_history.csv");
        wait_until("the history is there", PATIENCE, || history.exists());
        target.wait_for_requests(20);
        fs::remove_dir_all(swarm.folder().join(gone)).expect("it is ours");
        run.signal(Signal::INT);
        assert_eq!(run.wait(PATIENCE).code(), Some(OUTPUT), "{}", run.err.text());
        let names = names(&swarm.folder().join(kept));
        let said = run.err.text();
        if gone == "a" {
            assert!(said.contains("error: cannot write a/result.json: No such file"), "{said}");
            assert_eq!(names.len(), CSV.len(), "{names:?}");
            fs::rename(swarm.folder().join("b"), swarm.folder().join("moved")).expect("it is ours");
        } else {
            for table in CSV {
                let part = format!("cannot write b/result_{table}.csv: No such file");
                assert!(said.contains(&part), "{part} is not in:\n{said}");
            }
            assert_eq!(names, ["result.json"]);
            fs::rename(swarm.folder().join("a/result.json"), swarm.folder().join("result.json"))
                .expect("it is ours");
            assert_eq!(summary(&swarm).total.num_requests, target.counts().total);
        }
        assert!(run.out.text().contains("Response time percentiles"), "it is printed as well");
    }
}

#[test]
fn a_result_that_is_removed_or_has_no_room_is_whole_or_as_it_was() {
    let (swarm, target) = swarm_with_scenario();
    let url = target.url();
    let arguments = [&RUN[..], &[&url], &RESULTS].concat();
    let result = |name: &str| swarm.folder().join(name);
    // The first run compiles, and has its files removed in the middle.
    let mut run = Process::spawn("run", swarm.command(&arguments));
    let history = result("result_stats_history.csv");
    wait_until("the history is there", PATIENCE, || history.exists());
    fs::remove_file(&history).expect("it is there");
    let before = target.counts().total;
    target.wait_for_requests(before + 20);
    run.signal(Signal::INT);
    assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());
    results_are_whole(&swarm, &target);

    // The second can write 1,024 bytes to a file: not the JSON.
    let old = fs::read_to_string(result("result.json")).expect("it is there");
    let (_reader, out) = pipe().expect("there are pipes");
    let (mut reader, err) = pipe().expect("there are pipes");
    let streams = Streams { out: Some(out.into()), err: Some(err.into()) };
    let limited = in_shell(r#"ulimit -f 2; exec "$@""#, &swarm.command(&arguments));
    let mut run = Process::spawn_onto("run", limited, streams);
    let before = target.counts().total;
    target.wait_for_requests(before + 20);
    run.signal(Signal::INT);
    assert_eq!(run.wait(PATIENCE).code(), Some(OUTPUT));
    let mut said = String::new();
    reader.read_to_string(&mut said).expect("it is text");
    assert!(said.contains("cannot write result.json: File too large"), "{said}");
    assert_eq!(fs::read_to_string(result("result.json")).expect("it is there"), old);
    let stats = fs::read_to_string(result("result_stats.csv")).expect("it is there");
    let new = format!(",Aggregated,{},", target.counts().total - before);
    assert!(stats.contains(&new), "{new} is not in:\n{stats}");
    assert!(!names(swarm.folder()).iter().any(|name| is_temporary(name)));
}

#[test]
fn an_old_result_stays_until_there_is_a_new_one() {
    let (swarm, target) = swarm_with_scenario();
    let all: Vec<_> = CSV.iter().map(|table| format!("result_{table}.csv")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).chain(["result.json"]).collect();
    let keeps = |arguments: &[&str], code: i32| {
        for there in [true, false] {
            for name in &all {
                let path = swarm.folder().join(name);
                // It may not be there.
                let _ = fs::remove_file(&path);
                if there {
                    fs::write(&path, "old").expect("the folder is ours");
                }
            }
            let (status, process) = swarm.finished(&[arguments, &RESULTS].concat());
            assert_eq!(status.code(), Some(code), "{}", process.err.text());
            for name in &all {
                let text = fs::read_to_string(swarm.folder().join(name)).ok();
                assert_eq!(text.as_deref(), there.then_some("old"), "{name}");
            }
        }
    };
    // Nobody comes, and no test begins.
    let master = ["master", "sound.wasm", "--headless", "--master-bind-port", "0", "-H"];
    let nobody = ["--expect-workers-max-wait", "0.2"];
    keeps(&[&master[..], &[&target.url()], &nobody].concat(), 8);
    // Refused.
    keeps(&["run", "sound.wasm", "--headless", "-H", "ftp://x"], SETTINGS);

    // Killed in the middle: the JSON is the old one, and the lines of the CSV files are whole.
    for name in &all {
        fs::write(swarm.folder().join(name), "old").expect("the folder is ours");
    }
    let command = swarm.command(&[&RUN[..], &[&target.url()], &RESULTS].concat());
    let mut run = Process::spawn("run", command);
    let read = |name: &str| fs::read_to_string(swarm.folder().join(name)).expect("it is there");
    // Each of them by itself.
    let is_new = |name: &&str| read(name) != "old";
    wait_until("there are tables", PATIENCE, || all[..CSV.len()].iter().all(is_new));
    run.signal(Signal::KILL);
    run.wait(PATIENCE);
    assert_eq!(read("result.json"), "old");
    assert!(read("result_stats_history.csv").starts_with("Timestamp,"));
    for name in &all[..CSV.len()] {
        assert!(read(name).ends_with('\n'), "{name}");
    }
}

#[test]
fn a_result_for_standard_output_is_all_there_is_on_it() {
    let (swarm, target) = swarm_with_scenario();
    for (path, script) in [
        ("-", r#"exec "$@""#),
        ("/dev/stdout", r#"exec "$@""#),
        ("/dev/stdout", r#"exec "$@" | cat"#),
        // Both the same file, by mistake.
        ("result.json", r#"exec "$@" >result.json"#),
    ] {
        let before = target.counts().total;
        let url = target.url();
        let arguments = [&RUN[..], &[&url, "-t", "1", "--json-file", path]].concat();
        let mut run = Process::spawn("run", in_shell(script, &swarm.command(&arguments)));
        assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());
        let text = match path {
            "result.json" => fs::read_to_string(swarm.folder().join(path)).expect("it is text"),
            _ => run.out.text(),
        };
        let summary = Summary::from_json(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(summary.total.num_requests, target.counts().total - before, "{path}");
        assert!(run.err.text().contains("Response time percentiles"), "{}", run.err.text());
    }
    assert!(!swarm.folder().join("-").exists());
}

#[test]
fn a_reader_of_the_result_may_have_had_enough_of_it() {
    let (swarm, target) = swarm_with_scenario();
    let url = target.url();
    let arguments = [&RUN[..], &[&url, "-t", "1", "--json-file", "-"]].concat();
    let (reader, writer) = pipe().expect("there are pipes");
    drop(reader);
    let streams = Streams { out: Some(writer.into()), err: None };
    let mut run = Process::spawn_onto("run", swarm.command(&arguments), streams);
    assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());
}

#[test]
fn devices_pipes_and_links_stay_what_they_are() {
    let (swarm, target) = swarm_with_scenario();
    let run = |json: &str| {
        let results = ["-t", "1", "--json-file", json, "--csv", "result"];
        let url = target.url();
        let arguments = [&RUN[..], &[&url], &results].concat();
        Process::spawn("run", swarm.command(&arguments))
    };
    let mut null = run("/dev/null");
    assert_eq!(null.wait(PATIENCE).code(), Some(0), "{}", null.err.text());
    assert!(fs::metadata("/dev/null").expect("it is there").file_type().is_char_device());
    let mut full = run("/dev/full");
    assert_eq!(full.wait(PATIENCE).code(), Some(OUTPUT), "{}", full.err.text());
    assert!(full.err.text().contains("cannot write /dev/full: No space left"));
    assert_eq!(names(swarm.folder()).iter().filter(|name| name.ends_with(".csv")).count(), 4);

    let fifo = swarm.folder().join("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).expect("the folder takes one");
    let mut piped = run("fifo");
    let text = fs::read_to_string(&fifo).expect("it is text");
    assert_eq!(piped.wait(PATIENCE).code(), Some(0), "{}", piped.err.text());
    Summary::from_json(&text).expect("it is whole");
    assert!(fs::metadata(&fifo).expect("it is there").file_type().is_fifo());

    fs::create_dir(swarm.folder().join("there")).expect("it is new");
    let link = swarm.folder().join("link.json");
    symlink("there/result.json", &link).expect("it is new");
    let mut linked = run("link.json");
    assert_eq!(linked.wait(PATIENCE).code(), Some(0), "{}", linked.err.text());
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    let text = fs::read_to_string(swarm.folder().join("there/result.json")).expect("it is text");
    Summary::from_json(&text).expect("it is whole");
}

#[test]
fn a_folder_that_takes_no_files_is_refused_before_the_start() {
    let (swarm, _target) = swarm_with_scenario();
    let host = ["run", "sound.wasm", "--headless", "-H", "http://127.0.0.1:1"];
    for (flags, part) in [
        (["--json-file", "/proc/result.json"], "/proc/result.json"),
        (["--csv", "/proc/result"], "/proc/result_stats_history.csv"),
        (["--json-file", "/dev/null/x"], "Not a directory"),
    ] {
        refused(&swarm, &[&host[..], &flags].concat(), OUTPUT, &[flags[0], part]);
    }
}

#[test]
fn what_was_asked_for_may_be_read_in_part() {
    let (swarm, _target) = swarm_with_scenario();
    for arguments in [&["check", "sound.wasm"][..], &["check", "sound.wasm", "--json"]] {
        let command = swarm.command(arguments);
        let (reader, writer) = pipe().expect("there are pipes");
        drop(reader);
        let streams = Streams { out: Some(writer.into()), err: None };
        let mut check = Process::spawn_onto("check", command, streams);
        assert_eq!(check.wait(PATIENCE).code(), Some(0), "{}", check.err.text());
        assert_eq!(check.err.text(), "");
        let streams = Streams { out: Some(full().into()), err: None };
        let mut check = Process::spawn_onto("check", swarm.command(arguments), streams);
        assert_eq!(check.wait(PATIENCE).code(), Some(OUTPUT));
        let said = check.err.text();
        assert!(
            said.contains("cannot write standard output") && said.contains("No space"),
            "{said}"
        );
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let streams = Streams { out: Some(full().into()), err: None };
        let mut help = Process::spawn_onto("help", swarm.command(arguments), streams);
        assert_eq!(help.wait(PATIENCE).code(), Some(OUTPUT), "{arguments:?}");
    }
    // A target has said where it listens, and serves whoever knows.
    let command = swarm.command(&["target", "--port", "0", "--threads", "1"]);
    let mut target =
        Process::spawn_onto("target", command, Streams { out: Some(full().into()), err: None });
    let said = "standard output cannot be written; everything else goes on: No space left";
    wait_for("it is told", PATIENCE, || target.err.find(said));
    target.signal(Signal::INT);
    assert_eq!(target.wait(PATIENCE).code(), Some(0), "{}", target.err.text());
}

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("it is there")
}
