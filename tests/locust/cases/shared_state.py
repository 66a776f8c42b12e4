"""What is of the module is everybody's in a process."""

# users: 4
import itertools

import gevent
from locust import HttpUser, events, task
from locust.exception import StopUser

counter = itertools.count()
tokens = []


@events.test_start.add_listener
def fill(environment, **_):
    tokens.extend(f"token{number}" for number in range(10))


class Shared(HttpUser):
    total = 0

    @task
    def count(self):
        Shared.total += 1
        self.client.get(f"/count/{next(counter)}/{tokens.pop(0)}")
        # The others come one after the other.
        while Shared.total < 4:
            gevent.sleep(0.01)
        self.client.get(f"/total/{Shared.total}")
        raise StopUser
