"""`random`: each user draws numbers of its own, which are the same when the test is repeated.

In Locust all users draw from one sequence, in the order in which their answers come, so nothing can
be repeated. Here each user has a sequence, from the seed of the test and its own number; what is
drawn by the module itself, or by a listener, comes from one of the instance.

A script that says `random.seed(...)` (or asks for the state) wants one known sequence: from then on
all draw from that, as in Locust, and for one user it is number by number the same as there.
"""

import random

import _swarm


# The seed of the instance.
_instance = 0


def of_branch(number):
    """The seed of a greenlet. It takes no number from a known sequence."""
    return (_instance ^ number * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF


class _Random(random.Random):
    """Draws from whoever has the turn. The state of the base class is that of a known sequence."""

    def seed(self, a=None, version=2):
        super().seed(a, version)
        if a is not None:
            self._share()

    def getstate(self):
        self._share()
        return super().getstate()

    def setstate(self, state):
        super().setstate(state)
        self._share()

    def _share(self):
        _swarm.share_random(super().random, super().getrandbits)

    def random(self):
        return _swarm.random()

    def getrandbits(self, k):
        return _swarm.getrandbits(k)


_NAMES = (
    "seed random uniform triangular randint choice randrange sample shuffle choices normalvariate "
    "lognormvariate expovariate vonmisesvariate gammavariate gauss betavariate binomialvariate "
    "paretovariate weibullvariate getstate setstate getrandbits randbytes"
).split()


def install():
    instance = random._inst = _Random(0)
    # That was our own seed, not the script's.
    begin()
    for name in _NAMES:
        setattr(random, name, getattr(instance, name))
    random.random, random.getrandbits = _swarm.random, _swarm.getrandbits


def begin(seed=0):
    """Lets everybody draw by itself again; `seed` is that of the instance."""
    global _instance
    _instance = seed
    _swarm.share_random(None, None)
    _swarm.seed(seed)
    # `gauss` keeps a number for the next call.
    random._inst.gauss_next = None
