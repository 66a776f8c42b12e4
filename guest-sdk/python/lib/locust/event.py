"""Events, and who listens to them."""

import logging
import time
import traceback
from contextlib import contextmanager

import _swarm

from . import log
from .exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

# What a listener may raise into the task that fires the event.
FLOW = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)


class EventHook:
    """Functions that are called, each with all arguments, when something happens."""

    def __init__(self):
        self._handlers = []

    def add_listener(self, handler):
        self._handlers.append(handler)
        return handler

    def remove_listener(self, handler):
        self._handlers.remove(handler)

    def fire(self, *, reverse=False, **kwargs):
        """Calls the listeners. One that raises is logged, and does not keep others from theirs."""
        # A copy: listeners may come and go meanwhile.
        for handler in self._handlers[::-1] if reverse else self._handlers.copy():
            try:
                handler(**kwargs)
            except FLOW:
                raise
            except Exception:
                logging.error("Uncaught exception in event handler: \n%s", traceback.format_exc())
                log.unhandled_greenlet_exception = True

    @contextmanager
    def measure(self, request_type, name, response_length=0, context=None):
        """Fires the event with the time that a `with` block took, failed if it raises."""
        begun, counted = time.time(), time.perf_counter()
        meta = {
            "request_type": request_type,
            "name": name,
            "response_length": response_length,
            "context": context or {},
            "exception": None,
            "start_time": begun,
        }
        try:
            yield meta
        except Exception as error:
            meta["exception"] = error
        finally:
            meta["response_time"] = (time.perf_counter() - counted) * 1000
            self.fire(**meta)


class RequestHook(EventHook):
    """`events.request`. One of its listeners hands the sample to the host: as in Locust it comes
    with the runner, so after those that the script added while it was imported."""

    # Nobody but the host is to be told: it may record samples by itself.
    alone = False
    # Set when the script looks at `environment.stats`: it gets figures of this instance then.
    _stats = None

    @property
    def stats(self):
        return self._stats

    @stats.setter
    def stats(self, stats):
        self._stats = stats
        self._look()

    def add_listener(self, handler):
        super().add_listener(handler)
        self._look()
        return handler

    def remove_listener(self, handler):
        super().remove_listener(handler)
        self._look()

    def _look(self):
        self.alone = self._handlers == [self.record] and self._stats is None

    def record(
        self,
        *,
        request_type,
        name,
        response_time=None,
        response_length=0,
        exception=None,
        response=None,
        **_,
    ):
        """Hands a sample to the host."""
        error = error_text(exception) if exception else None
        length = max(0, int(response_length or 0))
        unanswered = getattr(response, "status_code", None) == 0
        elapsed = float(response_time or 0)
        _swarm.sample(str(request_type), str(name), elapsed, length, error, unanswered)
        if self._stats is not None:
            self._stats.add(request_type, name, response_time, response_length, exception)


def error_text(error):
    """What a failure is listed under: addresses in it are left out, as they differ each time."""
    text = error if isinstance(error, str) else repr(error)
    begin = text.find("object at 0x")
    if begin < 0:
        return text
    begin += len("object at ")
    end = text.find(">", begin)
    return text.replace(text[begin:end], "0x....") if end >= 0 else text


_FIRED = (
    "user_error spawning_complete quitting quit init init_command_line_parser test_start "
    "test_stopping test_stop"
).split()

# What Locust's processes tell each other is the host's matter.
_NEVER_FIRED = (
    "report_to_master worker_report worker_connect reset_stats cpu_warning heartbeat_sent "
    "heartbeat_received usage_monitor"
).split()


class Events:
    """All hooks. Each instance of a script has its own; see `README.md` for which are fired."""

    def __init__(self):
        self.request = RequestHook()
        for name in _FIRED + _NEVER_FIRED:
            setattr(self, name, EventHook())

    def unheard(self):
        """The names of events that have listeners, and are never fired."""
        return [name for name in _NEVER_FIRED if getattr(self, name)._handlers]
