"""The scenario `website`, for Locust: two pages, a rest of 1 to 5 s."""

from locust import FastHttpUser, between, task


class WebsiteUser(FastHttpUser):
    """By geventhttpclient; keeps its connection, as swarm's users do."""

    wait_time = between(1, 5)

    @task
    def index(self):
        self.client.get("/")

    @task
    def about(self):
        self.client.get("/about")
