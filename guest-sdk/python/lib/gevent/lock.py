"""Locks and semaphores: those of `threading`, which are made for this."""

import threading

RLock = threading.RLock


class _Counting:
    def ready(self):
        return not self.locked()

    def locked(self):
        return self._value <= 0

    @property
    def counter(self):
        return self._value

    def wait(self, timeout=None):
        if self.acquire(timeout=timeout):
            self.release()
        return self._value


class Semaphore(_Counting, threading.Semaphore):
    """At most so many at a time."""


class BoundedSemaphore(_Counting, threading.BoundedSemaphore):
    """As Semaphore; to release more often than to acquire is an error."""


class DummySemaphore:
    """Lets everybody through."""

    def __init__(self, value=None):
        pass

    def acquire(self, blocking=True, timeout=None):
        return True

    def release(self):
        pass

    def locked(self):
        return False

    def __enter__(self):
        pass

    def __exit__(self, *_):
        pass
