"""schedule_task, and tasks that are called as methods."""

from locust import HttpUser, TaskSet, task
from locust.exception import StopUser


class Queued(TaskSet):
    count = 0

    @task
    def begin(self):
        self.client.get("/begin")
        self.schedule_task(self.second)
        self.schedule_task(self.first, first=True)
        self.helper()

    def first(self):
        self.client.get("/first")

    def second(self):
        self.client.get("/second")
        self.count += 1
        if self.count == 2:
            raise StopUser

    def helper(self):
        self.client.get("/helper")


class Queue(HttpUser):
    tasks = [Queued]
