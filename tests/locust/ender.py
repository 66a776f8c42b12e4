"""Beside each case, for Locust alone: ends the run when all users are gone, and writes its result.

Locust writes its CSV files at intervals, and not at the end of a run that ends by itself; so what
would be in them is written to the file that ENDER_RESULT names.
"""

import json
import os

import gevent

from locust import events
from locust.stats import StatsError


@events.init.add_listener
def _(environment, **_kwargs):
    def watch():
        gevent.sleep(0.3)
        while environment.runner.user_count:
            gevent.sleep(0.05)
        environment.runner.quit()

    environment.events.test_start.add_listener(lambda **_: gevent.spawn(watch))


@events.quitting.add_listener
def _(environment, **_kwargs):
    stats = environment.runner.stats
    result = {
        "stats": [
            [
                entry.method,
                entry.name,
                entry.num_requests,
                entry.num_failures,
                entry.total_content_length,
            ]
            for entry in stats.entries.values()
        ],
        "failures": [
            [error.method, error.name, StatsError.parse_error(error.error), error.occurrences]
            for error in stats.errors.values()
        ],
        "exceptions": [
            [found["count"], found["msg"]] for found in environment.runner.exceptions.values()
        ],
    }
    with open(os.environ["ENDER_RESULT"], "w") as file:
        json.dump(result, file)
