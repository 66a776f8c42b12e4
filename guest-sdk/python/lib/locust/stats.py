"""Figures of this instance, for scripts that look at them while the test runs.

The result of the test is the host's: exact, and of all instances. What is here is kept only if a
script asks for `environment.stats`, from then on, with Locust's rounding.
"""

import time
from collections import defaultdict

PERCENTILES_TO_REPORT = [0.50, 0.66, 0.75, 0.80, 0.90, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0]
PERCENTILES_TO_STATISTICS = [0.95, 0.99]
PERCENTILES_TO_CHART = [0.5, 0.95]
CONSOLE_STATS_INTERVAL_SEC = 2
HISTORY_STATS_INTERVAL_SEC = 5
CSV_STATS_INTERVAL_SEC = 1
CSV_STATS_FLUSH_INTERVAL_SEC = 5
CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW = 10
STATS_NAME_WIDTH = 80
STATS_AUTORESIZE = True

# Seconds whose rates are kept.
_SECONDS_MAX = 60


def bucket_response_time(response_time):
    """A time in ms to two digits."""
    if response_time < 100:
        return round(response_time)
    if response_time < 1000:
        return int(round(response_time, -1))
    if response_time < 10000:
        return int(round(response_time, -2))
    return int(round(response_time, -3))


def calculate_response_time_percentile(response_times, num_requests, percent):
    """The time that a share of the requests did not exceed."""
    wanted, done = int(num_requests * percent), 0
    for response_time in sorted(response_times, reverse=True):
        done += response_times[response_time]
        if num_requests - done <= wanted:
            return response_time
    return 0


def _ratio(part, whole):
    return part / whole if whole else 0.0


class StatsError:
    """Failures of one request that have the same text."""

    def __init__(self, method, name, error, occurrences=0):
        self.method, self.name, self.error, self.occurrences = method, name, error, occurrences

    @classmethod
    def parse_error(cls, error):
        from .event import error_text

        return error_text(error)

    def to_name(self):
        return f"{self.method} {self.name}: {self.error!r}"


class StatsEntry:
    """Figures of one request, or of all."""

    def __init__(self, stats, name, method):
        self.stats, self.name, self.method = stats, name, method
        self.reset()

    def reset(self):
        self.start_time = time.time()
        self.last_request_timestamp = None
        self.num_requests = self.num_none_requests = self.num_failures = 0
        self.total_response_time = self.max_response_time = self.total_content_length = 0
        self.min_response_time = None
        self.response_times = defaultdict(int)
        self.num_reqs_per_sec, self.num_fail_per_sec = defaultdict(int), defaultdict(int)

    def log(self, response_time, content_length):
        now = time.time()
        self.last_request_timestamp = now
        self.num_requests += 1
        self.num_reqs_per_sec[int(now)] += 1
        if len(self.num_reqs_per_sec) > _SECONDS_MAX:
            del self.num_reqs_per_sec[next(iter(self.num_reqs_per_sec))]
        self.total_content_length += content_length or 0
        if response_time is None:
            self.num_none_requests += 1
            return
        self.total_response_time += response_time
        least = self.min_response_time
        self.min_response_time = response_time if least is None else min(least, response_time)
        self.max_response_time = max(self.max_response_time, response_time)
        self.response_times[bucket_response_time(response_time)] += 1

    def log_error(self, error):
        self.num_failures += 1
        self.num_fail_per_sec[int(time.time())] += 1
        if len(self.num_fail_per_sec) > _SECONDS_MAX:
            del self.num_fail_per_sec[next(iter(self.num_fail_per_sec))]

    @property
    def _timed(self):
        return self.num_requests - self.num_none_requests

    @property
    def fail_ratio(self):
        if not self.num_requests:
            return 1.0 if self.num_failures else 0.0
        return self.num_failures / self.num_requests

    @property
    def avg_response_time(self):
        return _ratio(self.total_response_time, self._timed)

    @property
    def median_response_time(self):
        if not self.response_times:
            return 0
        median = self.get_response_time_percentile(0.5)
        return max(min(median, self.max_response_time), self.min_response_time or 0)

    @property
    def avg_content_length(self):
        return _ratio(self.total_content_length, self.num_requests)

    def _rate(self, per_second):
        last = self.stats.last_request_timestamp
        if last is None:
            return 0
        begin = max(int(last) - 12, int(self.stats.start_time or 0))
        seconds = range(begin, int(last) - 2)
        return _ratio(sum(per_second.get(second, 0) for second in seconds), len(seconds))

    @property
    def current_rps(self):
        return self._rate(self.num_reqs_per_sec)

    @property
    def current_fail_per_sec(self):
        return self._rate(self.num_fail_per_sec)

    def _total_rate(self, count):
        last, begin = self.stats.last_request_timestamp, self.stats.start_time
        return _ratio(count, last - begin) if last and begin else 0.0

    @property
    def total_rps(self):
        return self._total_rate(self.num_requests)

    @property
    def total_fail_per_sec(self):
        return self._total_rate(self.num_failures)

    def get_response_time_percentile(self, percent):
        return calculate_response_time_percentile(self.response_times, self._timed, percent)

    get_current_response_time_percentile = get_response_time_percentile

    def to_dict(self, escape_string_values=False):
        return {
            "method": self.method,
            "name": self.name,
            "num_requests": self.num_requests,
            "num_failures": self.num_failures,
            "min_response_time": self.min_response_time or 0,
            "max_response_time": self.max_response_time,
            "current_rps": self.current_rps,
            "current_fail_per_sec": self.current_fail_per_sec,
            "avg_response_time": self.avg_response_time,
            "median_response_time": self.median_response_time,
            "total_rps": self.total_rps,
            "total_fail_per_sec": self.total_fail_per_sec,
            "avg_content_length": self.avg_content_length,
            **{
                f"response_time_percentile_{percentile}": self.get_response_time_percentile(
                    percentile
                )
                for percentile in PERCENTILES_TO_STATISTICS
            },
        }


class _Entries(dict):
    def __init__(self, stats):
        self._stats = stats

    def __missing__(self, key):
        entry = self[key] = StatsEntry(self._stats, *key)
        return entry


class RequestStats:
    """All figures of this instance."""

    def __init__(self, use_response_times_cache=True):
        self.history = []
        self.clear_all()

    @property
    def num_requests(self):
        return self.total.num_requests

    @property
    def num_none_requests(self):
        return self.total.num_none_requests

    @property
    def num_failures(self):
        return self.total.num_failures

    @property
    def last_request_timestamp(self):
        return self.total.last_request_timestamp

    @property
    def start_time(self):
        return self.total.start_time

    def add(self, method, name, response_time, length, exception):
        """A sample."""
        self.log_request(method, name, response_time, length)
        if exception:
            self.log_error(method, name, exception)

    def log_request(self, method, name, response_time, content_length):
        self.total.log(response_time, content_length)
        self.entries[(name, method)].log(response_time, content_length)

    def log_error(self, method, name, error):
        self.total.log_error(error)
        self.entries[(name, method)].log_error(error)
        text = StatsError.parse_error(error)
        entry = self.errors.setdefault((method, name, text), StatsError(method, name, error))
        entry.occurrences += 1

    def get(self, name, method):
        return self.entries[(name, method)]

    def reset_all(self):
        self.total.reset()
        self.errors = {}
        for entry in self.entries.values():
            entry.reset()
        self.history = []

    def clear_all(self):
        self.total = StatsEntry(self, "Aggregated", "")
        self.entries, self.errors = _Entries(self), {}
        self.history = []
