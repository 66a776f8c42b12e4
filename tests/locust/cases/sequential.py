"""Tasks in the order of their declaration, weights in a row."""

from locust import HttpUser, SequentialTaskSet, task
from locust.exception import StopUser


def listed(user):
    user.client.get("/listed")


class Steps(SequentialTaskSet):
    @task
    def first(self):
        self.client.get("/first")

    tasks = [listed]

    @task(2)
    def twice(self):
        self.client.get("/twice")

    @task
    class Inner(SequentialTaskSet):
        @task
        def inner_one(self):
            self.client.get("/inner/1")

        @task
        def inner_two(self):
            self.client.get("/inner/2")
            self.interrupt()

    @task
    def last(self):
        self.client.get("/last")
        self.user.rounds = getattr(self.user, "rounds", 0) + 1
        if self.user.rounds == 2:
            raise StopUser


class Sequence(HttpUser):
    tasks = [Steps]
