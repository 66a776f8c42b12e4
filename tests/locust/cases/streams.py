"""stream=True: the length is the header's."""

from locust import HttpUser, task
from locust.exception import StopUser


class Streams(HttpUser):
    @task
    def all(self):
        response = self.client.get("/lines", stream=True)
        assert [line.decode() for line in response.iter_lines()] == ["one", "two", "three"]
        response = self.client.get("/chunked", stream=True)
        assert b"".join(response.iter_content(3)) == b"firstsecond"
        response = self.client.get("/data", stream=True)
        assert response.raw.read(1) == b"{"
        raise StopUser
