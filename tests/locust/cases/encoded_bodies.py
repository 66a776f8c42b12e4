"""Encoded bodies are decoded, and count so."""

from locust import HttpUser, task
from locust.exception import StopUser


class Encodings(HttpUser):
    @task
    def all(self):
        for coding in ("gzip", "deflate", "identity"):
            response = self.client.get(f"/encoded/{coding}")
            assert response.text == "some text that is encoded " * 40
        response = self.client.get("/encoded/broken")
        assert response.status_code == 0 and response.content is None
        raise StopUser
