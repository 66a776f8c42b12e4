//! What a run has done, as lines that can be compared.

use serde_json::Value;
use swarm_stats::report::json::Summary;

/// Headers that say nothing of the script: where the server is, and what each client writes by
/// itself. Lengths are those of the bodies, which are compared.
const IGNORED: [&str; 3] = ["host", "connection", "content-length"];

/// The parts of an outcome; each is sorted, as users run side by side.
pub(super) struct Outcome {
    requests: Vec<String>,
    entries: Vec<String>,
    failures: Vec<String>,
    exceptions: Vec<String>,
}

impl Outcome {
    pub(super) fn of_locust(result: &Value, recorded: &Value, port: u16) -> Self {
        let rows = |name: &str, columns: usize| {
            let rows = result[name].as_array().expect("a list").iter();
            sorted(rows.map(|row| {
                let columns = row.as_array().expect("a row").iter().take(columns);
                let texts =
                    columns.map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
                texts.collect::<Vec<_>>().join(" | ").replace(&port.to_string(), "PORT")
            }))
        };
        Self {
            requests: requests(recorded, port),
            entries: rows("stats", 4),
            failures: rows("failures", 4),
            exceptions: rows("exceptions", 2).iter().map(|line| one_line(line)).collect(),
        }
    }

    pub(super) fn of_swarm(summary: &Summary, recorded: &Value, port: u16) -> Self {
        let place = port.to_string();
        let entries = summary.entries.iter().map(|entry| {
            let line = format!("{} | {}", entry.method, entry.name);
            format!("{line} | {} | {}", entry.num_requests, entry.num_failures)
        });
        let failures = summary.errors.iter().map(|error| {
            let line = format!("{} | {}", error.method, error.name);
            format!("{line} | {} | {}", error.error, error.occurrences)
        });
        let exceptions = summary.exceptions.iter();
        let exceptions = exceptions.map(|found| {
            // Before the text it names class, task and type; Locust has the text alone.
            let text = found.message.splitn(3, ": ").nth(2).unwrap_or_default();
            format!("{} | {text}", found.count)
        });
        let plain = |line: String| line.replace(&place, "PORT");
        Self {
            requests: requests(recorded, port),
            entries: sorted(entries.map(plain)),
            failures: sorted(failures.map(plain)),
            exceptions: sorted(exceptions.map(plain)),
        }
    }

    /// What one has and the other has not.
    pub(super) fn differences(&self, swarm: &Self) -> Vec<String> {
        let parts = [
            ("request", &self.requests, &swarm.requests),
            ("entry", &self.entries, &swarm.entries),
            ("failure", &self.failures, &swarm.failures),
            ("exception", &self.exceptions, &swarm.exceptions),
        ];
        let mut all = Vec::new();
        for (part, locust, swarm) in parts {
            let mut rest = swarm.clone();
            for line in locust {
                match rest.iter().position(|other| other == line) {
                    Some(at) => drop(rest.remove(at)),
                    None => all.push(format!("{part} of Locust: {line}")),
                }
            }
            all.extend(rest.iter().map(|line| format!("{part} of swarm: {line}")));
        }
        all
    }
}

/// As exceptions are recorded here.
fn one_line(text: &str) -> String {
    text.trim_end().replace(['\r', '\n'], " ")
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

/// Method, target, headers and body of each request.
fn requests(recorded: &Value, port: u16) -> Vec<String> {
    let requests = recorded.as_array().expect("a list").iter();
    sorted(requests.map(|request| {
        let text = |index: usize| request[index].as_str().expect("a text");
        let mut body = text(3).to_owned();
        let headers = request[2].as_array().expect("a list").iter();
        let headers = sorted(headers.filter_map(|header| {
            let name = header[0].as_str().expect("a name").to_lowercase();
            let value = header[1].as_str().expect("a value");
            let value = plain_value(&name, value, &mut body);
            (!IGNORED.contains(&&*name)).then(|| format!("{name}: {value}"))
        }));
        let target = without_time(text(1));
        let line = format!("{} {target} [{}] {body}", text(0), headers.join("; "));
        line.replace(&port.to_string(), "PORT")
    }))
}

/// A header's value without what differs each time.
fn plain_value(name: &str, value: &str, body: &mut String) -> String {
    if let (true, Some((_, boundary))) = (name == "content-type", value.split_once("boundary=")) {
        *body = body.replace(boundary, "BOUNDARY");
        return value.replace(boundary, "BOUNDARY");
    }
    match name {
        "cookie" => {
            let mut cookies: Vec<_> = value.split("; ").collect();
            cookies.sort_unstable();
            cookies.join("; ")
        }
        // Said by urllib3 where its Python has the library; the runtime has none.
        "accept-encoding" => value.replace(", zstd", ""),
        _ => value.to_owned(),
    }
}

/// The parameter `_` is a time, see `rest_`.
fn without_time(target: &str) -> String {
    match target.split_once("_=") {
        Some((before, after)) if before.ends_with(['?', '&']) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}_=TIME{rest}")
        }
        _ => target.to_owned(),
    }
}
