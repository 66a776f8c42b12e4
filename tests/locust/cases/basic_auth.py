"""Basic authentication: of a request, of the session, in the host."""

# users: 2
from requests.auth import HTTPBasicAuth

from locust import HttpUser, task
from locust.exception import StopUser


class Auth(HttpUser):
    @task
    def all(self):
        get = self.client.get
        get("/basic")
        assert get("/basic", auth=("me", "secret")).text == "welcome"
        get("/basic", auth=HTTPBasicAuth("you", "p\u00e4ss"))
        self.client.auth = ("all", "ways")
        get("/show")
        self.client.auth = None
        get("/show")
        raise StopUser


class InHost(HttpUser):
    def __init__(self, environment):
        scheme, rest = self.host.split("//")
        self.host = f"{scheme}//na%20me:pa%3Ass@{rest}"
        super().__init__(environment)

    @task
    def all(self):
        self.client.get("/show/host")
        raise StopUser
