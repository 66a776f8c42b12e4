"""FastHttpUser: bodies, headers, cookies, redirects."""

from locust import FastHttpUser, task
from locust.exception import StopUser


class Fast(FastHttpUser):
    default_headers = {"X-Default": "d"}

    @task
    def all(self):
        client = self.client
        client.post("/show", json={"a": "\u00fc"})
        client.post("/show", data={"a": 1, "b": "x y"})
        client.post("/show", data="text")
        client.post("/show", data=b"bytes")
        client.post("/show")
        client.put("/show", data="put")
        client.patch("/show", json={"p": 1})
        client.delete("/show")
        client.head("/show")
        client.options("/show")
        client.get("/show", headers={"X-Own": "1", "Accept": "a/b"})
        client.get("/show", auth=("me", "pw"))
        client.get("/cookies?a=1&b=2")
        client.get("/show")
        client.get("/redirect/302/2")
        client.post("/redirect/302/1", json={"x": 1})
        client.post("/redirect/307/1", json={"x": 1})
        client.get("/redirect/301/1", allow_redirects=False)
        client.get("/cookie-and-redirect")
        raise StopUser
