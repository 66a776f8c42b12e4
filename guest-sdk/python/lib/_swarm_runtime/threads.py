"""`threading`'s threads as functions that run side by side, and its `local`.

There are no threads: one begins when its starter waits, and gives way when it waits itself. That is
what gevent makes of them in Locust.
"""

import contextvars
import queue
import sys
import threading
import weakref

import _swarm

from . import switch

_idents = iter(range(1, 1 << 31))


class Thread(switch.Branch):
    def __init__(
        self, group=None, target=None, name=None, args=(), kwargs=None, *, daemon=None, context=None
    ):
        if group is not None:
            raise AssertionError("group argument must be None for now")
        self._target, self._args, self._kwargs = target, args, kwargs or {}
        self.ident = self.native_id = None
        self._number = next(_idents)
        self.name = str(name or f"Thread-{self._number}")
        self.daemon = bool(daemon)
        self._started = self._ended = False
        self._joining = switch.Queue()

    def start(self):
        if self._started:
            raise RuntimeError("threads can only be started once")
        if not switch.testing:
            raise RuntimeError(
                "can't start new thread: there is no test yet; start it in `init` or `test_start`"
            )
        self._started = True
        self.ident = self.native_id = self._number
        self.begin()

    def run(self):
        try:
            if self._target:
                self._target(*self._args, **self._kwargs)
        finally:
            del self._target, self._args, self._kwargs

    def execute(self):
        try:
            self.run()
        except (SystemExit, switch.GreenletExit):
            pass
        except BaseException:
            threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), self]))
        finally:
            self._ended = True
            self._joining.all()

    def join(self, timeout=None):
        if not self._started:
            raise RuntimeError("cannot join thread before it is started")
        if current_thread() is self:
            raise RuntimeError("cannot join current thread")
        if not self._ended:
            self._joining.wait(timeout)

    def is_alive(self):
        return self._started and not self._ended

    def getName(self):
        return self.name

    def setName(self, name):
        self.name = name

    def isDaemon(self):
        return self.daemon

    def setDaemon(self, daemon):
        self.daemon = daemon

    def __repr__(self):
        return f"<{type(self).__name__}({self.name})>"


class _MainThread(Thread):
    """Stands for whatever is no thread: users, listeners, the module itself."""

    def __init__(self):
        super().__init__(name="MainThread")
        self._started, self.ident = True, self._number


_main = _MainThread()


def current_thread():
    here = _swarm.seat()
    who = here.who if here is not None else None
    return who if isinstance(who, Thread) else _main


def get_ident():
    here = _swarm.seat()
    return id(here) if here is not None else _main.ident


class local:
    """Attributes that each user, and each function beside them, has for itself."""

    def __new__(cls, /, *args, **kwargs):
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        new = object.__new__(cls)
        object.__setattr__(new, "_local", (_Own(), args, kwargs))
        return new

    def __getattribute__(self, name):
        own = _own(self)
        if name == "__dict__":
            return own
        try:
            return own[name]
        except KeyError:
            return object.__getattribute__(self, name)

    def __setattr__(self, name, value):
        if name == "__dict__":
            raise AttributeError(
                f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            )
        _own(self)[name] = value

    def __delattr__(self, name):
        try:
            del _own(self)[name]
        except KeyError:
            raise AttributeError(name) from None


class _Own:
    """The attributes by who has them. They end with them."""

    def __init__(self):
        self.by_seat = weakref.WeakKeyDictionary()
        self.nobodys = {}


def _own(instance):
    owns, args, kwargs = object.__getattribute__(instance, "_local")
    holder = _holder()
    if holder is None:
        own = owns.nobodys.get("own")
    else:
        own = owns.by_seat.get(holder)
    if own is None:
        own = {}
        if holder is None:
            owns.nobodys["own"] = own
        else:
            owns.by_seat[holder] = own
        cls = type(instance)
        if cls.__init__ is not object.__init__:
            cls.__init__(instance, *args, **kwargs)
    return own


class _Holder:
    __slots__ = ("__weakref__",)


_holders = contextvars.ContextVar("holder", default=None)


def _holder():
    """An object that lives as long as the user or the branch whose turn it is."""
    here = _swarm.seat()
    if here is None:
        return None
    holder = _holders.get()
    if holder is None or holder[0] is not here.who:
        holder = (here.who, _Holder())
        _holders.set(holder)
    return holder[1]


def install():
    threading.Thread, threading.local, threading._MainThread = Thread, local, _MainThread
    threading.current_thread = threading.currentThread = current_thread
    threading.main_thread = lambda: _main
    threading.get_ident = threading.get_native_id = get_ident
    threading._main_thread = _main
    # The one in C waits for a lock of its own.
    queue.SimpleQueue = queue._PySimpleQueue

    class Timer(Thread):
        def __init__(self, interval, function, args=None, kwargs=None):
            super().__init__()
            self.interval, self.function = interval, function
            self.args, self.kwargs = args or [], kwargs or {}
            self.finished = threading.Event()

        def cancel(self):
            self.finished.set()

        def run(self):
            self.finished.wait(self.interval)
            if not self.finished.is_set():
                self.function(*self.args, **self.kwargs)
            self.finished.set()

    threading.Timer = Timer
