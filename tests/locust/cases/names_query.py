"""Names of requests: query strings, params, encodings, fragments, dot segments."""

from locust import HttpUser, task
from locust.exception import StopUser


class Names(HttpUser):
    @task
    def all(self):
        for url in (
            "/",
            "",
            "/a?x=1&y=2",
            "/a b/ü?q=c d&e=é",
            "/a/../b/./c",
            "/p#fragment",
            "/q?a=1#f",
            "/per%20cent%7e%2F",
            "/per%zz",
            "/quote'(x)!*",
            "/semi;v=1,2",
            "/pipe|{x}",
            "?only=query",
            "/plus+sign?a+b",
            "/trailing/",
            "/double//slash",
            "/at@sign:colon",
            "/.hidden/file.txt",
        ):
            self.client.get(url)
        raise StopUser
