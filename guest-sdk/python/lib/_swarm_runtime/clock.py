"""`time.sleep` without holding others up."""

import time

from . import switch


def sleep(seconds):
    if not isinstance(seconds, (int, float)) and not hasattr(seconds, "__float__"):
        raise TypeError(f"{type(seconds).__name__!r} object cannot be interpreted as a number")
    switch.pause(max(0.0, float(seconds)))


def install():
    time.sleep = sleep
