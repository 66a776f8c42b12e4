"""The load of the test, as Locust runs it; swarm runs the same from a scenario of the test."""

from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def index(self):
        self.client.get("/")

    @task
    def missing(self):
        self.client.get("/status/503")

    @task
    def broken(self):
        raise RuntimeError("the basket is empty")
