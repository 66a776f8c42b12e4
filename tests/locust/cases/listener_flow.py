"""What a listener of requests raises goes into the task."""

from locust import HttpUser, events, task
from locust.exception import RescheduleTask, StopUser


@events.request.add_listener
def check(name, exception, **_):
    if name == "/reschedule":
        raise RescheduleTask
    if name == "/stop":
        raise StopUser


class Flow(HttpUser):
    count = 0

    @task
    def work(self):
        self.count += 1
        if self.count == 1:
            self.client.get("/reschedule")
            self.client.get("/never")
        self.client.get("/stop")
        self.client.get("/never")
