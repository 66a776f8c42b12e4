"""URLs that no request can be made of raise into the task."""

from locust import HttpUser, SequentialTaskSet, task
from locust.exception import StopUser


class Bad(HttpUser):
    @task
    class Steps(SequentialTaskSet):
        @task
        def no_scheme(self):
            self.client.base_url = "127.0.0.1:1"
            self.client.get("/x")

        @task
        def no_host(self):
            self.client.base_url = "http://"
            self.client.get("/x")

        @task
        def bad_header(self):
            self.client.base_url = self.user.host
            self.client.get("/x", headers={"a": "b\nc"})

        @task
        def bad_json(self):
            self.client.post("/x", json=float("nan"))

        @task
        def end(self):
            raise StopUser
