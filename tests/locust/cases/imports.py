"""Modules and files beside the script."""

import os
import pathlib

import helpers
from helpers import paths
from helpers.nested import deep

from locust import HttpUser, task
from locust.exception import StopUser

try:
    import surely_not_there
except ImportError:
    surely_not_there = None

HERE = pathlib.Path(__file__).parent
LINES = (HERE / "helpers" / "lines.txt").read_text().splitlines()
with open(os.path.join(os.path.dirname(__file__), "helpers", "lines.txt")) as file:
    AGAIN = file.read().split()


class Imports(HttpUser):
    @task
    def all(self):
        assert surely_not_there is None and LINES == AGAIN and __name__ != "__main__"
        for path in [*paths(), *LINES, deep.PATH, helpers.PATH]:
            self.client.get(path)
        raise StopUser


if __name__ == "__main__":
    raise AssertionError
