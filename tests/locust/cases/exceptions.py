"""Exceptions of tasks, of on_start, of nested sets, and in on_stop."""

# users: 3
from locust import HttpUser, SequentialTaskSet, TaskSet, events, task
from locust.exception import StopUser


@events.user_error.add_listener
def count(user_instance, exception, tb, **_):
    Raises.errors += isinstance(user_instance, Raises)


class Inner(TaskSet):
    def on_start(self):
        raise RuntimeError("in a nested on_start")

    @task
    def never(self):
        self.client.get("/never")


class Steps(SequentialTaskSet):
    @task
    def raises(self):
        self.client.get("/before")
        raise ValueError("in a task")

    @task
    def attribute(self):
        self.client.no_such_method()

    tasks = [Inner]

    @task
    def chained(self):
        try:
            {}["key"]
        except KeyError as error:
            raise LookupError("chained") from error

    def on_stop(self):
        raise OSError("in on_stop")

    @task
    def end(self):
        self.client.get(f"/errors/{Raises.errors}")
        raise StopUser


class Raises(HttpUser):
    errors = 0
    fixed_count = 1
    tasks = [Steps]


class FailsToStart(HttpUser):
    fixed_count = 1

    def on_start(self):
        self.client.get("/start-fails")
        raise RuntimeError("in on_start")

    @task
    def never(self):
        self.client.get("/never")

    def on_stop(self):
        self.client.get("/never-stopped")


class StopsAtStart(HttpUser):
    fixed_count = 1

    def on_start(self):
        raise StopUser

    def on_stop(self):
        self.client.get("/stopped-at-start")

    @task
    def never(self):
        self.client.get("/never")
