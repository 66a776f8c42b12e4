"""Tasks of base classes come first; abstract classes do not run."""

import random

from locust import HttpUser, task
from locust.exception import StopUser

random.seed(11)


class Base(HttpUser):
    abstract = True
    count = 0

    @task
    def of_base(self):
        self.client.get("/base")

    def enough(self):
        self.count += 1
        if self.count > 6:
            raise StopUser


class Child(Base):
    @task(2)
    def of_child(self):
        self.client.get("/child")
        self.enough()


class Grandchild(Child):
    @task
    def of_grandchild(self):
        self.client.get("/grandchild")

    def of_child(self):
        self.client.get("/never-by-name")
