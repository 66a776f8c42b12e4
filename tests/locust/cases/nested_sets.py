"""Nested sets: on_start and on_stop, parent and user, interrupt in both ways."""

import random
import time

from locust import HttpUser, SequentialTaskSet, TaskSet, constant, task
from locust.exception import StopUser

# The set comes first.
random.seed(1)


class Deep(TaskSet):
    def on_start(self):
        self.client.get("/deep/start")

    def on_stop(self):
        self.client.get("/deep/stop")

    @task
    def work(self):
        assert isinstance(self.parent, Outer) and self.user is self.parent.user
        self.client.get("/deep/work")
        self.interrupt(reschedule=False)


class Outer(SequentialTaskSet):
    wait_time = constant(0.01)

    def on_start(self):
        self.client.get("/outer/start")

    def on_stop(self):
        self.client.get("/outer/stop")

    tasks = [Deep]

    @task
    def after(self):
        self.client.get("/outer/after")
        self.interrupt()


class Nested(HttpUser):
    rounds = 0

    def on_start(self):
        self.began = time.time()

    def on_stop(self):
        self.client.get("/user/stop")

    tasks = [Outer]

    @task
    def own(self):
        self.client.get("/user/own")
        raise StopUser
