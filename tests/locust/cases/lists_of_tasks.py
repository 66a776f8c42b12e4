"""`tasks` as a list of functions and sets, also set after the class body."""

import random

from locust import HttpUser, TaskSet, task
from locust.exception import StopUser

random.seed(3)


def one(user):
    user.client.get("/one")


def two(user):
    user.client.get("/two")
    user.seen = getattr(user, "seen", 0) + 1
    if user.seen > 5:
        raise StopUser


class Nested(TaskSet):
    tasks = [one]

    @task
    def leave(self):
        self.client.get("/leave")
        self.interrupt()


class Listed(HttpUser):
    pass


Listed.tasks = [one, one, two, Nested]
