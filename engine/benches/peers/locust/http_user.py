"""The benchmark's scenario by requests: GET / with a query built anew each time, no wait.

Locust and swarm run this file as it is. An error status is a failure by itself.
"""

from locust import HttpUser, constant, task

# Queries repeat after so many requests.
ITEMS = 1000


class BenchHttpUser(HttpUser):
    wait_time = constant(0)
    item = 0

    @task
    def index(self):
        self.item = (self.item + 1) % ITEMS
        self.client.get(f"/?item={self.item}", name="/")
