"""What a response tells."""

from locust import HttpUser, task
from locust.exception import StopUser


class Responses(HttpUser):
    @task
    def all(self):
        r = self.client.get("/data")
        assert r.ok and r and r.status_code == 200 and r.reason == "OK"
        assert r.json()["name"] == "Zo\u00eb" and r.encoding == "utf-8", r.encoding
        assert r.headers["x-one"] == "1" and r.headers["X-TWO"] == "2, 3", r.headers
        assert "Content-Type" in r.headers and r.headers.get("nothing") is None
        assert r.content.startswith(b"{") and len(r.content) == int(r.headers["content-length"])
        assert r.elapsed.total_seconds() >= 0 and r.history == [] and r.url.endswith("/data")
        assert r.request.method == "GET" and r.request.headers["Accept"] == "*/*"
        assert r.request.path_url == "/data" and r.request.body is None
        r = self.client.get("/latin")
        assert r.text == "Gr\u00fc\u00dfe" and r.encoding == "ISO-8859-1", (r.text, r.encoding)
        r = self.client.get("/status/404")
        assert not r.ok and not r and r.status_code == 404
        try:
            r.raise_for_status()
        except Exception as error:
            assert "404 Client Error: Not Found for url" in str(error), error
        else:
            raise AssertionError
        try:
            self.client.get("/").json()
        except ValueError as error:
            assert type(error).__name__ == "JSONDecodeError", type(error)
        r = self.client.get("/chunked")
        assert r.text == "firstsecond" and list(r.iter_content(4)) == [b"firs", b"tsec", b"ond"]
        assert list(self.client.get("/lines").iter_lines()) == [b"one", b"two", b"three"]
        raise StopUser
