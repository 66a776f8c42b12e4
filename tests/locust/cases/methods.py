"""Each method, with and without a body."""

from locust import HttpUser, task
from locust.exception import StopUser


class Methods(HttpUser):
    @task
    def all(self):
        client = self.client
        client.get("/show")
        client.head("/show")
        client.options("/show")
        client.post("/show")
        client.put("/show")
        client.patch("/show")
        client.delete("/show")
        client.request("GET", "/show/request")
        client.request("get", "/show/lower")
        client.request("PURGE", "/show/odd")
        client.delete("/show", json={"why": "old"})
        client.get("/show", json={"in": "a get"})
        raise StopUser
