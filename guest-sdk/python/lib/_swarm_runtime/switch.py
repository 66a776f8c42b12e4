"""Waiting without holding others up, and functions that run side by side.

One function runs at a time; others get their turn when it waits, and at no other moment. So what
looks at a state and then waits needs no lock.
"""

import contextvars
import itertools
import time
from collections import OrderedDict

import _swarm

from . import rand

_numbers = itertools.count(1)

# True from the moment when there is a test: before that nothing can wait.
testing = False

# The time limits that the running function is inside of, as (deadline, exception) pairs.
limits = contextvars.ContextVar("limits", default=())


class GreenletExit(BaseException):
    """Ends a greenlet, or a user that is to stop, at the place where it waits."""


def number():
    """A number for an event or a branch that no other has."""
    return next(_numbers) & 0x7FFFFFFF or number()


def pause(seconds=None, event=0):
    """Waits for an event (0 is none), at most so many seconds (None: without end).

    Returns whether it was the event that ended it. Raises GreenletExit when the time of the user
    that waits is over, what `kill` was called with when a greenlet is to end, and what a time
    limit raises when it is reached.
    """
    if not testing:
        return False
    here = _swarm.seat()
    who = here.who if here is not None else None
    greenlet = who if isinstance(who, Branch) else None
    if greenlet is not None:
        greenlet.check_killed()
        event = greenlet.waits = event or number()
    limit = min(limits.get(), default=None, key=lambda limit: limit[0])
    if limit is not None:
        left = max(0, limit[0] - time.monotonic())
        if seconds is None or left < seconds:
            seconds = left
        else:
            limit = None
    end = _swarm.pause(event, seconds)
    if greenlet is not None:
        greenlet.waits = 0
        greenlet.check_killed()
    if end == 2:
        raise GreenletExit
    if end == 0 and limit is not None:
        raise limit[1]
    return end == 1


def wake(event):
    """Lets those go on who wait for the event."""
    _swarm.wake(event)


class Branch:
    """A function that runs beside others. `waits` is the event that it waits for now."""

    waits = 0
    _killer = None

    def execute(self):
        """What runs."""
        raise NotImplementedError

    def begin(self):
        """Has `execute` called, in a copy of this context, as soon as the caller waits."""
        key = number()
        seat = _swarm.Seat(rand.of_branch(key))
        seat.who = self
        branches[key] = (self, seat, contextvars.copy_context())
        _swarm.branch(key)

    def interrupt(self, exception):
        """Has `exception` raised where it waits, or will wait next."""
        self._killer = exception
        if self.waits:
            wake(self.waits)

    def check_killed(self):
        killer, self._killer = self._killer, None
        if killer is not None:
            raise killer


# Begun, and not called yet: branch, seat and context by number.
branches = {}


def run_branch(key):
    """What the host calls for a branch."""
    branch, seat, context = branches.pop(key)
    _swarm.sit(seat)
    try:
        context.run(branch.execute)
    finally:
        _swarm.sit(None)


class Queue:
    """Who waits for something, in the order of coming.

    All users of an instance may wait in one, so nothing here looks through it.
    """

    __slots__ = ("_events",)

    def __init__(self):
        self._events = None

    def __len__(self):
        return len(self._events or ())

    def wait(self, seconds=None):
        """Waits until it is this one's turn; False if that did not come in time."""
        event = number()
        if self._events is None:
            self._events = OrderedDict()
        self._events[event] = None
        try:
            pause(seconds, event)
        except BaseException:
            if event not in self._events:
                # Its turn has come all the same: on to the next.
                self.next()
            else:
                del self._events[event]
            raise
        if event in self._events:
            del self._events[event]
            return False
        return True

    def next(self):
        """Lets the first one go on. False if nobody waits."""
        if not self._events:
            return False
        wake(self._events.popitem(last=False)[0])
        return True

    def all(self):
        """Lets everybody go on."""
        while self.next():
            pass
