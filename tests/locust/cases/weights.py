"""Weighted tasks, as marks, as a dict and as a list, in a sequence that is known."""

import random

from locust import HttpUser, task
from locust.exception import StopUser

random.seed(7)


def by_dict(user):
    user.client.get("/dict")


def by_list(user):
    user.client.get("/list")


class Weights(HttpUser):
    tasks = {by_dict: 2, by_list: 1}
    count = 0

    @task(3)
    def three(self):
        self.client.get("/three")

    @task
    def one(self):
        self.client.get("/one")
        self.count += 1
        if self.count == 8:
            raise StopUser
