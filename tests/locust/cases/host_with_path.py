"""A host with a path: the URL is the two, one behind the other."""

from locust import HttpUser, task
from locust.exception import StopUser


class Below(HttpUser):
    def on_start(self):
        self.client.base_url = self.host + "/api/"

    @task
    def all(self):
        self.client.get("items")
        self.client.get("/items")
        self.client.get("")
        self.client.get("?q=1")
        raise StopUser
