"""A chain of tasks."""

import random

from locust import HttpUser, MarkovTaskSet, transition, transitions
from locust.exception import StopUser

random.seed(5)


class Chain(MarkovTaskSet):
    steps = 0

    @transition("b")
    def a(self):
        self.client.get("/a")

    @transitions({"a": 1, "b": 1, "c": 2})
    def b(self):
        self.client.get("/b")

    @transitions(["a", ("b", 2)])
    def c(self):
        self.client.get("/c")
        self.steps += 1
        if self.steps == 5:
            raise StopUser


class Markov(HttpUser):
    tasks = [Chain]
