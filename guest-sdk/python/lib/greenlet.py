"""What scripts ask of the package `greenlet`: who they are."""

from gevent import GreenletExit, getcurrent, greenlet

__all__ = ["GreenletExit", "getcurrent", "greenlet"]
