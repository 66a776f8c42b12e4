"""`params` in all their forms."""

from locust import HttpUser, task
from locust.exception import StopUser


class Params(HttpUser):
    @task
    def all(self):
        get = self.client.get
        get("/p", params={"a": 1, "b": "two words", "c": None, "d": [1, 2, "ü"]})
        get("/p?x=1", params={"y": "&="})
        get("/p", params=[("k", "v"), ("k", "w")])
        get("/p", params="raw=1&more=two words")
        get("/p", params=b"bytes=1")
        get("/p", params={})
        get("/p#frag", params={"a": "b"})
        get("/p", params={"name": "x"}, name="named")
        raise StopUser
