"""How long users wait between two tasks.

Each function here makes a function for a class's `wait_time`. `swarm_wait` on it says the same as
data, for those who look at the plan.
"""

import random
from time import perf_counter


def _told(function, kind, *values):
    function.swarm_wait = (kind, values)
    return function


def between(min_wait, max_wait):
    """Any time from `min_wait` to `max_wait` seconds, each as likely as another."""
    return _told(
        lambda instance: min_wait + random.random() * (max_wait - min_wait),
        "between",
        min_wait,
        max_wait,
    )


def constant(wait_time):
    """Always as long."""
    return _told(lambda instance: wait_time, "constant", wait_time)


def constant_pacing(wait_time):
    """What is left of so many seconds since the last wait ended; nothing if a task took longer."""

    def wait_time_func(self):
        took = perf_counter() - self._cp_last_run - self._cp_last_wait_time
        self._cp_last_wait_time = max(0, wait_time - took)
        self._cp_last_run = perf_counter()
        return self._cp_last_wait_time

    return _told(wait_time_func, "pacing", wait_time)


def constant_throughput(task_runs_per_second):
    """So many tasks a second and user."""
    if task_runs_per_second <= 0:
        raise ValueError(
            f"constant_throughput() requires a positive rate, got: {task_runs_per_second}"
        )
    return constant_pacing(1 / task_runs_per_second)


def poisson(rate):
    """Exponentially distributed, so many tasks a second and user in the mean."""
    if rate <= 0:
        raise ValueError(f"poisson() requires a positive rate, got: {rate}")
    return lambda instance: random.expovariate(rate)
