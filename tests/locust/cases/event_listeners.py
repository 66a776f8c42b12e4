"""Who is told what, in which order."""

from locust import HttpUser, events, task
from locust.exception import StopUser

told = []


def note(name):
    def listener(**kwargs):
        told.append(f"{name}({','.join(sorted(kwargs))})")

    return listener


events.init.add_listener(note("init"))
events.test_start.add_listener(note("test_start"))
events.test_stopping.add_listener(note("test_stopping"))


@events.request.add_listener
def requested(
    request_type,
    name,
    response_time,
    response_length,
    response,
    context,
    exception,
    start_time,
    url,
    **kwargs,
):
    assert response_time >= 0 and start_time > 1e9 and url.startswith("http"), url
    status = response.status_code if response is not None else None
    told.append(f"{request_type} {name} {response_length} {status} {context} {exception!r}")


class Told(HttpUser):
    def context(self):
        return {"user": "one"}

    @task
    def all(self):
        self.client.get("/one")
        self.client.get("/status/404", context={"request": 2})
        with self.client.get("/two", catch_response=True) as response:
            response.failure("bad")
        self.client.post("/told", data="\n".join(told))
        events.request.remove_listener(requested)
        self.client.get("/untold")
        raise StopUser
