"""Figures that a script asks for."""

from locust import HttpUser, events, task
from locust.exception import StopUser


@events.init.add_listener
def ask(environment, **_):
    environment.stats.total


class Stats(HttpUser):
    @task
    def all(self):
        for path in ("/one", "/one", "/two", "/status/404"):
            self.client.get(path)
        stats = self.environment.stats
        entry = stats.get("/one", "GET")
        self.client.post(
            "/stats",
            json=[
                stats.total.num_requests,
                stats.total.num_failures,
                stats.total.fail_ratio,
                entry.num_requests,
                entry.num_failures,
                entry.method,
                entry.name,
                entry.avg_content_length,
                sorted(map(list, stats.entries)),
                [error.occurrences for error in stats.errors.values()],
                stats.total.avg_response_time > 0,
                stats.total.get_response_time_percentile(0.95) <= stats.total.max_response_time + 1,
            ],
        )
        stats.reset_all()
        self.client.post("/reset-stats", json=stats.total.num_requests)
        raise StopUser
