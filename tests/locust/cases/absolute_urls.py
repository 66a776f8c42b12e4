"""Absolute URLs, in any case of letters, with and without a path."""

from locust import HttpUser, task
from locust.exception import StopUser


class Absolute(HttpUser):
    @task
    def all(self):
        host = self.host
        self.client.get(host + "/abs?q=1")
        self.client.get(host.upper().replace("HTTP", "hTTp") + "/upper")
        self.client.get(host)
        self.client.get(host + "?query")
        self.client.get(f"{self.client.base_url}/base")
        raise StopUser
