"""Cookies: kept, sent back, given, set by hand, deleted."""

from locust import HttpUser, task
from locust.exception import StopUser


class Cookies(HttpUser):
    def on_start(self):
        self.client.get("/cookies?session=abc&theme=dark")

    @task
    def all(self):
        client = self.client
        client.get("/show")
        assert client.cookies.get("session") == "abc", client.cookies
        client.get("/show", cookies={"extra": "1"})
        client.get("/show")
        client.cookies.set("mine", "yes")
        client.get("/show")
        response = client.get("/cookies?session=changed")
        assert response.cookies["session"] == "changed"
        client.get("/show/deep/er")
        del client.cookies["theme"]
        client.get("/show")
        client.get("/cookie-and-redirect")
        client.get("/show")
        client.cookies.clear()
        client.get("/show")
        raise StopUser
