"""Events, and results that come later."""

import threading

from _swarm_runtime import switch

from .timeout import Timeout


class Event(threading.Event):
    def ready(self):
        return self.is_set()

    def rawlink(self, callback):
        import gevent

        gevent.spawn(lambda: (self.wait(), callback(self)))

    def unlink(self, callback):
        pass


class AsyncResult:
    """A value, or an exception, that somebody sets and others wait for."""

    def __init__(self):
        self._done = self._failed = False
        self.value = self.exception = None
        self._queue = switch.Queue()

    def ready(self):
        return self._done

    def successful(self):
        return self._done and not self._failed

    def set(self, value=None):
        self._done, self.value = True, value
        self._queue.all()

    def set_exception(self, exception, exc_info=None):
        self._done = self._failed = True
        self.exception = exception
        self._queue.all()

    def wait(self, timeout=None):
        if not self._done:
            self._queue.wait(timeout)
        return self.value

    def get(self, block=True, timeout=None):
        if not self._done:
            if not block:
                raise Timeout()
            self._queue.wait(timeout)
            if not self._done:
                raise Timeout(timeout)
        if self._failed:
            raise self.exception
        return self.value

    def get_nowait(self):
        return self.get(block=False)

    def __call__(self, source):
        if source.successful():
            self.set(source.value)
        else:
            self.set_exception(source.exception)
