"""rest() and rest_(), of both kinds of users."""

# users: 2
import re

from locust import FastHttpUser, HttpUser, task
from locust.exception import StopUser


class Both:
    def all(self):
        with self.rest("GET", "/data") as resp:
            assert resp.js["name"] == "Zo\u00eb"
        with self.rest("POST", "/show", json={"a": 1}) as resp:
            assert resp.js["method"] == "POST"
        with self.rest("GET", "/lines", name="not json"):
            pass
        with self.rest("GET", "/status/204", name="empty") as resp:
            assert resp.js is None
        with self.rest("GET", "/data", name="assertion") as resp:
            assert resp.js["name"] == "x", "not x"
        with self.rest("GET", "/data", name="bare assertion") as resp:
            assert resp.js["name"] == "x"
        with self.rest("GET", "/data", name="failure") as resp:
            resp.failure("by hand")
        with self.rest("GET", "/show", name="headers", headers={"Accept": "x/y"}) as resp:
            assert re.match("x/y", resp.js["headers"]["accept"])
        raise StopUser


class Slow(Both, HttpUser):
    fixed_count = 1
    all = task(Both.all)


class Fast(Both, FastHttpUser):
    fixed_count = 1
    all = task(Both.all)
