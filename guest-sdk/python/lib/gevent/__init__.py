"""gevent's names for functions that run side by side, for scripts that use them.

A greenlet runs when its starter waits, and gives way when it waits itself, as in gevent.
"""

import sys
import time as _time

import _swarm
from _swarm_runtime import switch
from _swarm_runtime.switch import GreenletExit

__version__ = "26.9.0"
version_info = (26, 9, 0, "final", 0)


class greenlet:
    """The base of what `getcurrent` returns."""

    dead = False

    def throw(self, *args):
        raise NotImplementedError("a greenlet is not switched to by hand here: use kill()")


class Greenlet(switch.Branch, greenlet):
    """A function that runs beside others."""

    value = exception = exc_info = None

    def __init__(self, run=None, *args, **kwargs):
        if run is not None:
            self._run = run
        self.args, self.kwargs = args, kwargs
        self._started = self._ended = False
        self._joining, self._links = switch.Queue(), []
        self.name = f"Greenlet-{id(self):x}"

    @classmethod
    def spawn(cls, *args, **kwargs):
        new = cls(*args, **kwargs)
        new.start()
        return new

    @classmethod
    def spawn_later(cls, seconds, *args, **kwargs):
        new = cls(*args, **kwargs)
        new.start_later(seconds)
        return new

    def start(self):
        self.start_later(0)

    def start_later(self, seconds):
        if self._started:
            return
        if not switch.testing:
            raise RuntimeError(
                "greenlets can be started when there is a test: in a listener of "
                "`init` or `test_start`, or in a user"
            )
        self._started, self._delay = True, seconds
        self.begin()

    def _run(self):
        raise NotImplementedError("a Greenlet needs a function to run")

    def run(self):
        self.value = self._run(*self.args, **self.kwargs)

    def execute(self):
        try:
            if self._delay:
                switch.pause(self._delay)
            self.check_killed()
            self.run()
        except GreenletExit as error:
            self.value = error
        except BaseException as error:
            self.exception, self.exc_info = error, sys.exc_info()
            self._report(error)
        finally:
            self._ended = True
            self._joining.all()
            for callback, kind in self._links:
                if kind is None or kind == self.successful():
                    callback(self)

    def _report(self, error):
        if isinstance(error, SystemExit):
            from _swarm_runtime import life

            life.exit_test(error)
        elif not self._links:
            import traceback

            traceback.print_exception(error)
            print(f"{self!r} failed with {type(error).__name__}", file=sys.stderr)

    def join(self, timeout=None):
        if not self._ended and self._started:
            self._joining.wait(timeout)

    def get(self, block=True, timeout=None):
        if not self._ended:
            if not block:
                raise Timeout()
            self.join(timeout)
            if not self._ended:
                raise Timeout(timeout)
        if self.exception is not None:
            raise self.exception
        return self.value

    def kill(self, exception=GreenletExit, block=True, timeout=None):
        exception = exception() if isinstance(exception, type) else exception
        if self._ended:
            return
        if not self._started:
            self._started = self._ended = True
            self.value = exception
            return
        if getcurrent() is self:
            raise exception
        self.interrupt(exception)
        if block:
            self.join(timeout)

    def throw(self, *args):
        self.kill(args[0] if args else GreenletExit, block=False)

    def ready(self):
        return self._ended

    def successful(self):
        return self._ended and self.exception is None

    @property
    def dead(self):
        return self._ended

    @property
    def started(self):
        return self._started and not self._ended

    __bool__ = started.fget

    @property
    def loop(self):
        return None

    def _link(self, callback, kind):
        if self._ended:
            if kind is None or kind == self.successful():
                callback(self)
        else:
            self._links.append((callback, kind))

    def link(self, callback):
        self._link(callback, None)

    rawlink = link

    def link_value(self, callback):
        self._link(callback, True)

    def link_exception(self, callback):
        self._link(callback, False)

    def unlink(self, callback):
        self._links[:] = [link for link in self._links if link[0] != callback]

    unlink_all = _unlink_all = lambda self: self._links.clear()

    def __repr__(self):
        return f"<{type(self).__name__} at {id(self):#x}: {getattr(self, '_run', None)!r}>"


class UserGreenlet(greenlet):
    """Stands for a user among greenlets."""

    started, _ended = True, False

    def __init__(self, user):
        self.user, self.args = user, (user,)
        self.name = f"User-{id(user):x}"

    def ready(self):
        return not self.user._alive

    @property
    def dead(self):
        return not self.user._alive

    def __bool__(self):
        return self.user._alive

    def kill(self, exception=GreenletExit, block=True, timeout=None):
        """Ends the user: this one at once, another one with its task."""
        if getcurrent() is self:
            raise exception() if isinstance(exception, type) else exception
        self.user._state = "stopping"

    def join(self, timeout=None):
        end = None if timeout is None else _time.monotonic() + timeout
        while self.user._alive and (end is None or _time.monotonic() < end):
            switch.pause(0.05)

    def link(self, callback):
        pass

    rawlink = link_exception = link_value = unlink = link


class _Main(greenlet):
    """Stands for whatever is neither a user nor a greenlet."""


_main = _Main()


def getcurrent():
    here = _swarm.seat()
    who = here.who if here is not None else None
    if isinstance(who, Greenlet):
        return who
    return getattr(who, "greenlet", None) or _main


def sleep(seconds=0, ref=True):
    """Waits, and lets others go on."""
    switch.pause(max(0.0, float(seconds)))


def idle(priority=0):
    sleep(0)


spawn = Greenlet.spawn
spawn_later = Greenlet.spawn_later
spawn_raw = Greenlet.spawn


def iwait(objects, timeout=None, count=None):
    """Those that are done, as they get done."""
    left, deadline = list(objects), None if timeout is None else _time.monotonic() + timeout
    count = len(left) if count is None else min(count, len(left))
    while left and count > 0:
        done = [one for one in left if one.ready()]
        for one in done[:count]:
            left.remove(one)
            count -= 1
            yield one
        if not done:
            rest = None if deadline is None else deadline - _time.monotonic()
            if rest is not None and rest <= 0:
                return
            _any(left, rest)


def _any(objects, timeout):
    """Waits until one of them is done."""
    event = switch.number()

    def woken(_):
        switch.wake(event)

    for one in objects:
        one.rawlink(woken)
    try:
        switch.pause(timeout, event)
    finally:
        for one in objects:
            one.unlink(woken)


def wait(objects=None, timeout=None, count=None):
    return list(iwait(objects or (), timeout, count))


def joinall(greenlets, timeout=None, raise_error=False, count=None):
    done = list(iwait(greenlets, timeout, count))
    if raise_error:
        for one in done:
            if getattr(one, "exception", None) is not None:
                raise one.exception
    return done


def kill(greenlet, exception=GreenletExit):
    greenlet.kill(exception, block=False)


def killall(greenlets, exception=GreenletExit, block=True, timeout=None):
    greenlets = list(greenlets)
    for one in greenlets:
        one.kill(exception, block=False)
    if block:
        joinall([one for one in greenlets if isinstance(one, Greenlet)], timeout)


def get_hub(*_args):
    return _main


def config():
    return None


def reinit(*_args):
    pass


def signal_handler(*_args, **_kwargs):
    """Signals reach the program, not the script."""


from .timeout import Timeout, with_timeout  # noqa: E402

__all__ = [
    "Greenlet",
    "GreenletExit",
    "Timeout",
    "getcurrent",
    "idle",
    "iwait",
    "joinall",
    "kill",
    "killall",
    "sleep",
    "spawn",
    "spawn_later",
    "spawn_raw",
    "wait",
    "with_timeout",
]
