"""Queues: those of `queue`."""

from queue import (
    Empty,
    Full,
    LifoQueue,
    PriorityQueue,
    SimpleQueue,
)
from queue import Queue as _Queue

__all__ = [
    "Channel",
    "Empty",
    "Full",
    "JoinableQueue",
    "LifoQueue",
    "PriorityQueue",
    "Queue",
    "SimpleQueue",
]


class Queue(_Queue):
    def __init__(self, maxsize=None, items=()):
        super().__init__(maxsize or 0)
        for item in items:
            self.put(item)

    def peek(self, block=True, timeout=None):
        item = self.get(block, timeout)
        self.queue.appendleft(item)
        return item

    def __len__(self):
        return self.qsize()

    def __iter__(self):
        return self

    def __next__(self):
        item = self.get()
        if item is StopIteration:
            raise item
        return item


JoinableQueue = Queue


class Channel(Queue):
    def __init__(self, maxsize=1):
        super().__init__(1)
