"""A target that is not there."""

from locust import HttpUser, task
from locust.exception import StopUser


class Refused(HttpUser):
    @task
    def all(self):
        self.client.base_url = "http://127.0.0.1:1"
        response = self.client.get("/nobody")
        assert response.status_code == 0
        raise StopUser
