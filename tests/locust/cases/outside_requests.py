"""requests outside of the client: no sample."""

import requests

from locust import HttpUser, events, task
from locust.exception import StopUser

found = {}


@events.test_start.add_listener
def login(environment, **_):
    found["token"] = requests.post(f"{environment.host}/login", json={"user": "admin"}).text


class Outside(HttpUser):
    @task
    def all(self):
        self.client.get("/in", headers={"Authorization": found["token"]})
        with requests.Session() as session:
            session.headers["X-Session"] = "1"
            session.get(self.host + "/cookies?a=1")
            assert session.get(self.host + "/show").json()["headers"]["cookie"] == "a=1"
        response = requests.get(self.host + "/status/404")
        try:
            response.raise_for_status()
        except requests.exceptions.HTTPError:
            pass
        try:
            requests.get("http://127.0.0.1:1/", timeout=1)
        except requests.exceptions.ConnectionError:
            self.client.get("/caught")
        raise StopUser
