"""Each user has its own cookies."""

# users: 3
from locust import HttpUser, task
from locust.exception import StopUser

numbers = iter(range(100))


class Own(HttpUser):
    def on_start(self):
        self.number = next(numbers)
        self.client.get(f"/cookies?me=user{self.number}", name="set")

    @task
    def all(self):
        response = self.client.get("/show")
        assert response.json()["headers"]["cookie"] == f"me=user{self.number}"
        raise StopUser
