"""The benchmark's scenario by geventhttpclient: GET / with a query built anew each time, no wait.

Locust and swarm run this file as it is. An error status is a failure by itself.
"""

from locust import FastHttpUser, constant, task

# Queries repeat after so many requests.
ITEMS = 1000


class BenchFastHttpUser(FastHttpUser):
    wait_time = constant(0)
    item = 0

    @task
    def index(self):
        self.item = (self.item + 1) % ITEMS
        self.client.get(f"/?item={self.item}", name="/")
