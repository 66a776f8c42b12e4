"""The forms of a body, and what each says that it is."""

from locust import HttpUser, task
from locust.exception import StopUser


class Bodies(HttpUser):
    @task
    def all(self):
        post = self.client.post
        post("/show", data={"a": 1, "b": [1, 2], "c": None, "d": "ä &="})
        post("/show", data=[("k", "v"), ("k", "w")])
        post("/show", data="plain text ü")
        post("/show", data=b"bytes")
        post("/show", {"second": "argument"})
        post("/show", None, {"third": "argument"})
        post("/show", json={"x": "Zoë", "n": None, "f": 1.5, "l": [True, False]})
        post("/show", json=[])
        post("/show", json={})
        post("/show", json="text")
        post("/show", data={"wins": 1}, json={"loses": 1})
        post("/show", data="")
        post("/show", data={})
        post("/show", data=b"")
        self.client.put("/show", {"put": 1})
        self.client.patch("/show", b"patch")
        post("/show", data=(part for part in (b"gen", b"erator")))
        raise StopUser
