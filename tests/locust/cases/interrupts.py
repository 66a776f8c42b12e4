"""interrupt in on_start; RescheduleTask and RescheduleTaskImmediately."""

from locust import HttpUser, SequentialTaskSet, TaskSet, task
from locust.exception import RescheduleTask, RescheduleTaskImmediately, StopUser


class Never(TaskSet):
    def on_start(self):
        self.client.get("/never/start")
        self.interrupt()

    def on_stop(self):
        self.client.get("/never/stop")

    @task
    def work(self):
        self.client.get("/never/work")


class Steps(SequentialTaskSet):
    tasks = [Never]

    @task
    def again(self):
        self.client.get("/again")
        raise RescheduleTask

    @task
    def at_once(self):
        self.client.get("/at-once")
        raise RescheduleTaskImmediately

    @task
    def end(self):
        self.client.get("/end")
        raise StopUser


class Interrupts(HttpUser):
    tasks = [Steps]
