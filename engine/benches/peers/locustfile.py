"""The benchmark's scenario, for Locust: GET / with a query built anew each time, no wait.

Locust counts an error status as a failure by itself. The class is named on the command line.
"""

from locust import FastHttpUser, HttpUser, constant, task

# Queries repeat after so many requests.
ITEMS = 1000


class BenchHttpUser(HttpUser):
    """By requests."""

    wait_time = constant(0)
    item = 0

    @task
    def index(self):
        self.item = (self.item + 1) % ITEMS
        self.client.get(f"/?item={self.item}", name="/")


class BenchFastHttpUser(FastHttpUser):
    """By geventhttpclient."""

    wait_time = constant(0)
    item = 0

    @task
    def index(self):
        self.item = (self.item + 1) % ITEMS
        self.client.get(f"/?item={self.item}", name="/")
