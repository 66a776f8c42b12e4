"""`name=`, request_name and rename_request."""

from locust import HttpUser, task
from locust.exception import StopUser


class Given(HttpUser):
    @task
    def all(self):
        self.client.get("/one?x=1", name="/one?x=[x]")
        self.client.get("/two", name="")
        with self.client.rename_request("group"):
            self.client.get("/three/1")
            self.client.get("/three/2")
            self.client.get("/three/3", name="mine")
        self.client.request_name = "other"
        self.client.post("/four")
        self.client.request_name = None
        self.client.get("/five")
        raise StopUser
