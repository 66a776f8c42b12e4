"""Redirects: one sample under the first name, methods, history."""

from locust import HttpUser, task
from locust.exception import StopUser


class Redirects(HttpUser):
    @task
    def all(self):
        client = self.client
        for code in (301, 302, 303, 307, 308):
            response = client.get(f"/redirect/{code}/2")
            assert [hop.status_code for hop in response.history] == [code, code], response.history
            assert response.url.endswith("/end?of=redirects"), response.url
            client.post(f"/redirect/{code}/1", json={"a": code})
            client.put(f"/redirect/{code}/1", data="put")
            client.head(f"/redirect/{code}/1")
        response = client.get("/redirect/302/1", allow_redirects=False)
        assert response.status_code == 302 and response.headers["location"] == "/end?of=redirects"
        client.head("/redirect/302/1", allow_redirects=True)
        client.get("/loop")
        client.get("/elsewhere?relative/path")
        client.get("/elsewhere?//" + self.host.split("//")[1] + "/scheme-relative")
        client.get("/redirect/302/1", name="named")
        client.get("/redirect/302/1", headers={"Authorization": "Bearer x", "X-Kept": "y"})
        raise StopUser
