"""Samples of one's own, by firing and by measuring."""

from locust import User, events, task
from locust.exception import StopUser


class Own(User):
    @task
    def all(self):
        fire = self.environment.events.request.fire
        fire(
            request_type="grpc", name="call", response_time=12.5, response_length=7, exception=None
        )
        fire(
            request_type="grpc",
            name="call",
            response_time=20,
            response_length=0,
            exception=ValueError("bad"),
            context={},
            response=None,
        )
        fire(
            request_type="ws", name="failed", response_time=1, response_length=0, exception="a text"
        )
        events.request.fire(request_type="X", name="bare", response_time=3, response_length=1)
        with self.environment.events.request.measure("M", "good") as meta:
            meta["response_length"] = 3
        with self.environment.events.request.measure("M", "bad"):
            raise KeyError("measured")
        raise StopUser
