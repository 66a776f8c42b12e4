"""A known seed gives known numbers, whatever draws them."""

import random

from locust import HttpUser, between, task
from locust.exception import StopUser

random.seed(42)
FIRST = random.randint(1, 1_000_000)


class Numbers(HttpUser):
    wait_time = between(0.001, 0.002)

    @task
    def all(self):
        drawn = [
            random.random(),
            random.choice("abcdef"),
            random.sample(range(50), 3),
            random.uniform(1, 2),
            random.gauss(0, 1),
            random.getrandbits(70),
            random.choices([1, 2, 3], weights=[5, 1, 1], k=4),
            random.shuffle(list("abc")),
        ]
        self.client.post("/numbers", json=[FIRST, *map(str, drawn)])
        state = random.getstate()
        one = random.random()
        random.setstate(state)
        assert random.random() == one
        raise StopUser
