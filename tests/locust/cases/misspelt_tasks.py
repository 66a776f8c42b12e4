"""A class whose tasks are at the wrong name fails when it runs, and says what may be meant."""

from locust import HttpUser
from locust.exception import StopUser


class Misspelt(HttpUser):
    task = [1]
    tries = 0

    def wait_time(self):
        self.tries += 1
        if self.tries == 3:
            raise StopUser
        return 0
