"""Thread pools: greenlets like any others."""

from .pool import Pool


class ThreadPool(Pool):
    pass
