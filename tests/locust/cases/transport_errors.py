"""Requests that have no answer: the task goes on."""

from locust import HttpUser, task
from locust.exception import StopUser


class Broken(HttpUser):
    @task
    def all(self):
        get = self.client.get
        for path in ("/reset", "/close", "/garbage", "/reset-body"):
            response = get(path)
            assert response.status_code == 0 and not response.text and not response.content
        response = get("/truncated")
        assert response.status_code == 0
        response = get("/delay/2000", timeout=0.2, name="timeout")
        assert response.status_code == 0 and type(response.error).__name__ == "ReadTimeout"
        for call in (
            lambda: response.json(),
            lambda: response.raise_for_status(),
            lambda: response.ok,
        ):
            try:
                call()
            except Exception:
                pass
            else:
                raise AssertionError
        with get("/close", catch_response=True, name="caught") as response:
            assert response.status_code == 0
            response.success()
        with get("/close", catch_response=True, name="caught 2"):
            pass
        raise StopUser
