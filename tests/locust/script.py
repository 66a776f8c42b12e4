"""What a user's script does with Locust's web API: starts a test, polls it, reads every field of
every row and file, changes the load, stops, and resets. It knows nothing of swarm.

    python script.py WEB_URL TARGET_URL

Ends with an error at the first thing that is not as in Locust, else prints what it has seen as
JSON, in a form that does not depend on how fast anything was.
"""

import csv
import io
import json
import sys
import time

import requests

WEB, TARGET = sys.argv[1].rstrip("/"), sys.argv[2]
PATIENCE_S = 60

ENTRY_FIELDS = {
    "method": str,
    "name": str,
    "num_requests": int,
    "num_failures": int,
    "min_response_time": float,
    "max_response_time": float,
    "current_rps": float,
    "current_fail_per_sec": float,
    "avg_response_time": float,
    "median_response_time": float,
    "total_rps": float,
    "total_fail_per_sec": float,
    "response_time_percentile_0.95": float,
    "response_time_percentile_0.99": float,
    "avg_content_length": float,
}
ERROR_FIELDS = {
    "method": str,
    "name": str,
    "error": str,
    "occurrences": int,
    "first_seen": float,
    "last_seen": float,
}
EXCEPTION_FIELDS = {"count": int, "msg": str, "traceback": str, "nodes": str}


def get(path):
    response = requests.get(WEB + path, timeout=10)
    response.raise_for_status()
    return response


def post(path, **form):
    response = requests.post(WEB + path, data=form, timeout=30)
    response.raise_for_status()
    return response


def stats():
    return get("/stats/requests").json()


def wait_for(what, holds):
    end = time.monotonic() + PATIENCE_S
    while True:
        seen = stats()
        if holds(seen):
            return seen
        if time.monotonic() > end:
            sys.exit(f"waited in vain until {what}: {json.dumps(seen)[:2000]}")
        time.sleep(0.5)


def read(row, fields):
    """Every field that Locust has, in its type; a whole number is a number, too."""
    for name, kind in fields.items():
        value = row[name]
        kinds = (int, float) if kind is float else (kind,)
        assert isinstance(value, kinds) and not isinstance(value, bool), (name, value)
    return {name: row[name] for name in fields}


def total(seen):
    return seen["stats"][-1]


def table(path):
    """A CSV file: its columns, and its rows by column."""
    response = get(path)
    assert response.headers["Content-Type"].startswith("text/csv"), response.headers
    assert response.headers["Content-Disposition"].startswith("attachment"), response.headers
    rows = csv.DictReader(io.StringIO(response.text))
    return rows.fieldnames, list(rows)


def shares(tree, depth=0):
    """The names of classes and tasks; a task's share is of the plan, and so the same everywhere."""
    told = {}
    for name, share in tree.items():
        ratio = share["ratio"]
        below = shares(share.get("tasks", {}), depth + 1)
        told[name] = [round(ratio, 6) if depth else ratio == 1, below]
    return told


outcome = {}
answer = post("/swarm", user_count=4, spawn_rate=4, host=TARGET).json()
outcome["start"] = {key: answer[key] for key in ("success", "message")}
assert answer["host"] == TARGET, answer
started = time.monotonic()

wait_for("4 users run", lambda seen: seen["state"] == "running" and seen["user_count"] == 4)
running = wait_for(
    "each name has been requested and each error seen",
    lambda seen: len(seen["stats"]) == 3
    and all(row["num_requests"] >= 20 and row["current_rps"] > 0 for row in seen["stats"])
    and len(seen["errors"]) == 1
    and get("/exceptions").json()["exceptions"],
)
outcome["top"] = sorted(set(running) - {"total_avg_response_time"})
assert 0 < running["fail_ratio"] < 1, running["fail_ratio"]
for name in ("total_rps", "total_fail_per_sec", "current_rps", "current_fail_per_sec"):
    assert running[name] > 0, (name, running[name])
    assert running[name] == total(running)[name], name
outcome["percentiles"] = sorted(running["current_response_time_percentiles"])
assert all(value > 0 for value in running["current_response_time_percentiles"].values())

entries = [read(row, ENTRY_FIELDS) for row in running["stats"]]
outcome["entries"] = [[row["method"], row["name"]] for row in entries]
for row in entries:
    assert row["min_response_time"] <= row["median_response_time"] <= row["max_response_time"], row
    assert row["num_failures"] in (0, row["num_requests"]) or row["name"] == "Aggregated", row
assert sum(row["num_requests"] for row in entries[:-1]) == entries[-1]["num_requests"]
errors = [read(row, ERROR_FIELDS) for row in running["errors"]]
outcome["errors"] = [[row["method"], row["name"], "503" in row["error"]] for row in errors]
for row in errors:
    assert row["first_seen"] <= row["last_seen"], row
    assert abs(row["last_seen"] - time.time()) < PATIENCE_S, row
exceptions = [read(row, EXCEPTION_FIELDS) for row in get("/exceptions").json()["exceptions"]]
outcome["exceptions"] = ["the basket is empty" in row["msg"] for row in exceptions]

tasks = get("/tasks").json()
outcome["tasks"] = {kind: shares(tasks[kind]) for kind in ("per_class", "total")}
outcome["workers"] = get("/worker-count").json()

answer = post("/swarm", user_count=2, spawn_rate=4).json()
assert answer["success"], answer
wait_for("2 users run", lambda seen: seen["state"] == "running" and seen["user_count"] == 2)

answer = post("/stop").json()
outcome["stop"] = answer
stopped = wait_for("the test has stopped", lambda seen: seen["state"] == "stopped")
elapsed = time.monotonic() - started
outcome["users after the stop"] = stopped["user_count"]
columns, rows = table("/stats/requests/csv")
outcome["requests.csv"] = columns
in_file = {row["Name"]: row for row in rows}
stopped = wait_for(
    "rows and file agree",
    lambda seen: all(
        int(in_file[row["name"]]["Request Count"]) == row["num_requests"]
        and int(in_file[row["name"]]["Failure Count"]) == row["num_failures"]
        for row in seen["stats"]
    ),
)
assert [row["Name"] for row in rows] == [row["name"] for row in stopped["stats"]]
# The mean since the start stays after the end.
assert stopped["total_rps"] == total(stopped)["total_rps"] > 0, stopped["total_rps"]
for entry in stopped["stats"]:
    mean, failed = entry["num_requests"] / elapsed, entry["num_failures"] / elapsed
    assert mean / 3 < entry["total_rps"] < mean * 3, (entry, elapsed)
    assert failed / 3 <= entry["total_fail_per_sec"] <= failed * 3, (entry, elapsed)
    row = in_file[entry["name"]]
    assert abs(float(row["Requests/s"]) - entry["total_rps"]) < 0.01, (row, entry)
    assert float(row["Min Response Time"]) <= float(row["100%"]), row
columns, rows = table("/stats/failures/csv")
outcome["failures.csv"] = [columns, [row["Name"] for row in rows]]
assert sum(int(row["Occurrences"]) for row in rows) == total(stopped)["num_failures"], rows
columns, rows = table("/exceptions/csv")
outcome["exceptions.csv"] = [columns, [int(row["Count"]) > 0 for row in rows]]

outcome["reset"] = post("/stats/reset").text
empty = wait_for(
    "the statistics are forgotten",
    lambda seen: all(row["num_requests"] == 0 for row in seen["stats"]),
)
outcome["after the reset"] = [empty["errors"], empty["state"]]
history = requests.get(WEB + "/stats/requests_full_history/csv", timeout=10)
outcome["without a history"] = history.status_code

print(json.dumps(outcome, indent=1, sort_keys=True))
