"""wait() in the middle of a task, of the user and of a set; time.sleep and gevent.sleep."""

import time

import gevent

from locust import HttpUser, SequentialTaskSet, constant, task
from locust.exception import StopUser


class Waits(HttpUser):
    wait_time = constant(0.05)

    @task
    class Steps(SequentialTaskSet):
        def spent(self, call, *args):
            begun = time.perf_counter()
            call(*args)
            return 0.045 <= time.perf_counter() - begun <= 0.5

        @task
        def steps(self):
            self.client.get(f"/wait/{self.spent(self.wait)}")
            self.client.get(f"/user-wait/{self.spent(self.user.wait)}")
            self.client.get(f"/sleep/{self.spent(time.sleep, 0.05)}")
            self.client.get(f"/gevent/{self.spent(gevent.sleep, 0.05)}")
            raise StopUser
