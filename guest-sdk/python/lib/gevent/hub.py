"""What scripts look for there."""

from gevent import GreenletExit, get_hub, getcurrent

__all__ = ["GreenletExit", "get_hub", "getcurrent"]
