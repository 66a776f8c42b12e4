"""Uploads."""

import io

from locust import HttpUser, task
from locust.exception import StopUser


class Files(HttpUser):
    @task
    def all(self):
        post = self.client.post
        post("/show", files={"f": ("name.txt", b"content", "text/plain")})
        post("/show", files={"f": ("name.txt", "content")}, data={"field": "value", "more": [1, 2]})
        post("/show", files={"f": b"bytes alone"})
        post("/show", files={"f": io.BytesIO(b"a stream")})
        post("/show", files=[("f", ("a.txt", b"a")), ("f", ("b.txt", b"b"))])
        post("/show", files={"f": ("x.bin", b"x", "application/x", {"X-Part": "1"})})
        raise StopUser
