"""params, hooks and others of the session."""

from locust import HttpUser, task
from locust.exception import StopUser


class Settings(HttpUser):
    @task
    def all(self):
        self.client.params = {"always": "1"}
        self.client.get("/show")
        self.client.get("/show?x=y", params={"z": "2"})
        self.client.params = {}
        seen = []
        self.client.hooks["response"] = [lambda response, **_: seen.append(response.status_code)]
        self.client.get("/status/201")
        assert seen == [201], seen
        self.client.hooks["response"] = []
        self.client.get("/show", hooks={"response": lambda response, **_: seen.append(1)})
        assert seen == [201, 1], seen
        self.client.get("/show", verify=False)
        self.client.verify = False
        self.client.get("/show")
        self.client.max_redirects = 2
        self.client.get("/redirect/302/3")
        raise StopUser
