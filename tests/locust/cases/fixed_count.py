"""Fixed counts and weights share the users out."""

# users: 7
from locust import HttpUser, task
from locust.exception import StopUser


class Once(HttpUser):
    abstract = True

    @task
    def once(self):
        self.client.get(f"/{type(self).__name__}")
        raise StopUser


class Two(Once):
    fixed_count = 2


class One(Once):
    fixed_count = 1


class Heavy(Once):
    weight = 3


class Light(Once):
    weight = 1


class Nobody(Once):
    weight = 0
