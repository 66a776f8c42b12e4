"""Headers of a request and of the session."""

from locust import HttpUser, task
from locust.exception import StopUser


class Headers(HttpUser):
    def on_start(self):
        self.client.headers["X-Session"] = "one"
        self.client.headers.update({"Authorization": "Bearer abc", "x-other": "2"})

    @task
    def all(self):
        get = self.client.get
        get("/show")
        get("/show", headers={"X-Own": "mine", "x-session": "own"})
        get("/show", headers={"Accept": "application/json", "User-Agent": "me"})
        get("/show", headers={"X-Session": None})
        get("/show", headers={"X-Empty": "", "X-Number": "5"})
        get("/show", headers={"X-Latin": "Gr\u00fc\u00dfe"})
        del self.client.headers["x-other"]
        get("/show")
        self.client.headers = {"Only": "this"}
        get("/show")
        self.client.post("/show", json={"a": 1}, headers={"Content-Type": "application/vnd.x+json"})
        get("/show", headers={"Host": "other.example"})
        raise StopUser
