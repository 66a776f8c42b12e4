"""FastHttpUser: names are the URL as it is written, URLs are quoted its own way."""

from locust import FastHttpUser, task
from locust.exception import StopUser


class Fast(FastHttpUser):
    @task
    def all(self):
        for url in ("/", "/a?x=1", "/a b?q=c d", "/ü", "/a/../b", "/p#f", "/per%zz", "/pipe|x"):
            self.client.get(url)
        self.client.get(self.host + "/absolute")
        self.client.get("/named", name="n")
        self.client.get("/p", params={"a": [1, 2], "b": None, "c": "x y"})
        with self.client.rename_request("group"):
            self.client.get("/g")
        raise StopUser
