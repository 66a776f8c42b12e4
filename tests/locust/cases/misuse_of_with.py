"""`with` without catch_response, and marks outside of a block."""

from locust import HttpUser, SequentialTaskSet, task
from locust.exception import StopUser


class Misuse(HttpUser):
    @task
    class Steps(SequentialTaskSet):
        @task
        def with_without(self):
            with self.client.get("/one"):
                pass

        @task
        def success_without(self):
            self.client.get("/two").success()

        @task
        def failure_without(self):
            self.client.get("/three").failure("x")

        @task
        def success_before(self):
            self.client.get("/four", catch_response=True).success()

        @task
        def end(self):
            raise StopUser
