"""Groups of greenlets, and pools that have a size."""

import gevent
from gevent.lock import DummySemaphore, Semaphore

from _swarm_runtime import switch


class Group:
    """Greenlets that are waited for, or ended, together."""

    greenlet_class = gevent.Greenlet

    def __init__(self, *args):
        self.greenlets = set()
        for one in args[0] if args else ():
            self.add(one)

    def __len__(self):
        return len(self.greenlets)

    def __iter__(self):
        return iter(list(self.greenlets))

    def __contains__(self, one):
        return one in self.greenlets

    def add(self, one):
        self.greenlets.add(one)
        one.rawlink(self.discard)

    def discard(self, one):
        self.greenlets.discard(one)

    def start(self, one):
        self.add(one)
        one.start()

    def spawn(self, *args, **kwargs):
        new = self.greenlet_class(*args, **kwargs)
        self.start(new)
        return new

    def join(self, timeout=None, raise_error=False):
        gevent.joinall(list(self.greenlets), timeout, raise_error)
        return not self.greenlets

    def kill(self, exception=gevent.GreenletExit, block=True, timeout=None):
        gevent.killall(list(self.greenlets), exception, block, timeout)

    def killone(self, greenlet, exception=gevent.GreenletExit, block=True, timeout=None):
        greenlet.kill(exception, block, timeout)

    def full(self):
        return False

    def wait_available(self, timeout=None):
        pass

    def apply(self, func, args=(), kwds=None):
        return self.spawn(func, *args, **(kwds or {})).get()

    def apply_async(self, func, args=(), kwds=None, callback=None):
        new = self.spawn(func, *args, **(kwds or {}))
        if callback is not None:
            new.link_value(lambda done: callback(done.value))
        return new

    def map(self, func, iterable, maxsize=None):
        return [new.get() for new in [self.spawn(func, item) for item in iterable]]

    def imap(self, func, *iterables, maxsize=None):
        for new in [self.spawn(func, *items) for items in zip(*iterables)]:
            yield new.get()

    def imap_unordered(self, func, *iterables, maxsize=None):
        for new in gevent.iwait([self.spawn(func, *items) for items in zip(*iterables)]):
            yield new.get()

    def map_async(self, func, iterable, callback=None):
        return gevent.spawn(self.map, func, iterable)


class Pool(Group):
    """At most `size` at a time: who spawns one more waits."""

    def __init__(self, size=None, greenlet_class=None):
        super().__init__()
        if greenlet_class is not None:
            self.greenlet_class = greenlet_class
        self.size = size
        self._room = DummySemaphore() if size is None else Semaphore(size)

    def start(self, one):
        self._room.acquire()
        one.rawlink(lambda _: self._room.release())
        super().start(one)

    def full(self):
        return self.free_count() <= 0

    def free_count(self):
        return 1 if self.size is None else self.size - len(self.greenlets)

    def wait_available(self, timeout=None):
        while self.full():
            switch.pause(0.01)
