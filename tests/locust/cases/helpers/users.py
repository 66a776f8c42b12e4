from locust import HttpUser, task
from locust.exception import StopUser


class Imported(HttpUser):
    fixed_count = 1

    @task
    def imported(self):
        self.client.get("/imported")
        raise StopUser


class NotRun(Imported):
    abstract = True
