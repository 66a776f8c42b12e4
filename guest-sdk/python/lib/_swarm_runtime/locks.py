"""The locks of `threading`, for functions that get their turn while others wait."""

import _thread
import threading

import _swarm

from . import switch


class Lock:
    __slots__ = ("_locked", "_queue", "__weakref__")

    def __init__(self):
        self._locked = False
        self._queue = switch.Queue()

    def acquire(self, blocking=True, timeout=-1):
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if not self._locked:
            self._locked = True
            return True
        if not blocking:
            return False
        # Whoever releases hands the lock over: it stays locked.
        return self._queue.wait(None if timeout == -1 else timeout)

    def release(self):
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        if not self._queue.next():
            self._locked = False

    def locked(self):
        return self._locked

    acquire_lock, release_lock, locked_lock = acquire, release, locked

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def _at_fork_reinit(self):
        self.__init__()

    def __repr__(self):
        state = "locked" if self._locked else "unlocked"
        return f"<{state} lock at {id(self):#x}>"


class RLock:
    """A lock that its owner, a user or a branch, may take again."""

    __slots__ = ("_lock", "_owner", "_count", "__weakref__")

    def __init__(self):
        self._lock, self._owner, self._count = Lock(), None, 0

    def acquire(self, blocking=True, timeout=-1):
        if self._is_owned():
            self._count += 1
            return True
        if not self._lock.acquire(blocking, timeout):
            return False
        self._owner, self._count = _swarm.seat(), 1
        return True

    def release(self):
        if not self._is_owned():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            self._lock.release()

    def locked(self):
        return self._lock.locked()

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def _is_owned(self):
        return self._count > 0 and self._owner is _swarm.seat()

    def _release_save(self):
        state = (self._count, self._owner)
        self._count, self._owner = 0, None
        self._lock.release()
        return state

    def _acquire_restore(self, state):
        self._lock.acquire()
        self._count, self._owner = state

    def _recursion_count(self):
        return self._count if self._is_owned() else 0

    def _at_fork_reinit(self):
        self.__init__()


def install():
    _thread.allocate_lock = _thread.allocate = _thread.lock = Lock
    _thread.LockType, _thread.RLock = Lock, RLock
    threading.Lock = threading._allocate_lock = threading._LockType = Lock
    threading.RLock = threading._RLock = threading._PyRLock = RLock
    threading._CRLock = RLock
