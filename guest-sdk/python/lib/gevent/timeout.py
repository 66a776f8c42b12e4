"""Time limits for what waits."""

import time

from _swarm_runtime import switch


class Timeout(BaseException):
    """Raised where something waits, when its time is over. A `with` block, or `start` and `close`,
    say what it holds for."""

    def __init__(self, seconds=None, exception=None, ref=True, priority=-1, _use_timer=True):
        super().__init__()
        self.seconds, self.exception = seconds, exception
        self._limit = None

    @classmethod
    def start_new(cls, timeout=None, exception=None, ref=True, _one_shot=False):
        if isinstance(timeout, Timeout):
            if not timeout.pending:
                timeout.start()
            return timeout
        new = cls(timeout, exception)
        new.start()
        return new

    @property
    def pending(self):
        return self._limit is not None

    def start(self):
        if self.seconds is None:
            return
        raised = self if self.exception in (None, False, True) else self.exception
        self._limit = (time.monotonic() + self.seconds, raised)
        switch.limits.set((*switch.limits.get(), self._limit))

    def cancel(self):
        if self._limit is not None:
            left = tuple(limit for limit in switch.limits.get() if limit is not self._limit)
            switch.limits.set(left)
            self._limit = None

    close = cancel

    def __enter__(self):
        if not self.pending:
            self.start()
        return self

    def __exit__(self, kind, value, traceback):
        self.cancel()
        return value is self and self.exception is False

    def __str__(self):
        if self.seconds is None:
            return ""
        return f"{self.seconds} second{'' if self.seconds == 1 else 's'}"


_NO_VALUE = object()


def with_timeout(seconds, function, *args, timeout_value=_NO_VALUE, **kwargs):
    timeout = Timeout.start_new(seconds)
    try:
        return function(*args, **kwargs)
    except Timeout as error:
        if error is timeout and timeout_value is not _NO_VALUE:
            return timeout_value
        raise
    finally:
        timeout.cancel()
