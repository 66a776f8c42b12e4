"""A class without tasks fails when it runs."""

from locust import HttpUser
from locust.exception import StopUser


class Empty(HttpUser):
    tries = 0

    def on_start(self):
        self.client.get("/empty")

    def wait_time(self):
        self.tries += 1
        if self.tries == 3:
            raise StopUser
        return 0
