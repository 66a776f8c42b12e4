"""FastHttpUser: responses, failures, catch_response."""

# users: 2
from locust import FastHttpUser, task
from locust.exception import ResponseError, StopUser


class Fast(FastHttpUser):
    @task
    def all(self):
        client = self.client
        r = client.get("/data")
        assert r.status_code == 200 and r.json()["items"] == [1, 2, 3] and r.ok
        assert r.headers["x-one"] == "1" and r.text.startswith("{") and r.content
        for code in (200, 201, 204, 208, 209, 226, 299, 304, 400, 404, 500, 503):
            client.get(f"/status/{code}")
        for path in ("/reset", "/close", "/truncated", "/garbage"):
            client.get(path)
        r = client.get("/close", name="again")
        assert r.status_code == 0 and r.content is None and r.text is None and r.headers is None
        try:
            r.json()
        except TypeError:
            pass
        with client.get("/status/404", catch_response=True, name="ok") as r:
            r.success()
        with client.get("/", catch_response=True, name="bad") as r:
            r.failure("why")
        with client.get("/", catch_response=True, name="raised"):
            raise ResponseError("x")
        with client.get("/status/404", catch_response=True, name="untouched"):
            pass
        assert list(client.iter_lines("/lines")) == ["one", "two", "three"]
        for coding in ("gzip", "deflate"):
            assert client.get(f"/encoded/{coding}").text.startswith("some text")
        raise StopUser


class Misuse(FastHttpUser):
    count = 0

    @task
    def one(self):
        Misuse.count += 1
        if Misuse.count == 1:
            self.client.get("/x").success()
        if Misuse.count == 2:
            with self.client.get("/y") as r:
                r.success()
        raise StopUser
