"""Load shapes. They can be declared; the host does not ask them yet."""

from abc import ABCMeta, abstractmethod
from time import perf_counter


class LoadTestShapeMeta(ABCMeta):
    def __new__(mcs, classname, bases, class_dict):
        class_dict["abstract"] = class_dict.get("abstract", False)
        return super().__new__(mcs, classname, bases, class_dict)


class LoadTestShape(metaclass=LoadTestShapeMeta):
    """Says each second how many users there are to be."""

    runner = None
    abstract = True
    use_common_options = False

    def __init__(self):
        self.start_time = perf_counter()

    def reset_time(self):
        self.start_time = perf_counter()

    def get_run_time(self):
        return perf_counter() - self.start_time

    def get_current_user_count(self):
        return self.runner.user_count

    @abstractmethod
    def tick(self):
        """(users, spawn rate), or None to end the test."""
