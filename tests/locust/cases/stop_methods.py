"""User.stop, environment.runner.quit, and what still runs."""

from locust import HttpUser, task


class Stops(HttpUser):
    count = 0

    def on_stop(self):
        self.client.get("/on-stop")

    @task
    def work(self):
        self.client.get("/work")
        self.count += 1
        if self.count == 2:
            self.stop()
            self.client.get("/after-stop")
