"""User classes that are imported run as well."""

# users: 2
from helpers.users import Imported, NotRun  # noqa: F401

from locust import HttpUser, task
from locust.exception import StopUser


class Own(HttpUser):
    fixed_count = 1

    @task
    def own(self):
        self.client.get("/own")
        raise StopUser
