"""What is a failure, and its text."""

from locust import HttpUser, task
from locust.exception import StopUser


class Statuses(HttpUser):
    @task
    def all(self):
        for code in (200, 201, 204, 304, 400, 401, 403, 404, 418, 429, 500, 503, 599, 299, 399):
            self.client.get(f"/status/{code}")
        self.client.get("/status/404", name="named")
        self.client.get("/phrase/404/Nowhere")
        self.client.get("/phrase/500/")
        self.client.get("/phrase/200/Fine")
        raise StopUser
