"""Greenlets, groups, pools, events, locks, timeouts."""

import time

import gevent
from gevent.event import AsyncResult, Event
from gevent.lock import Semaphore
from gevent.pool import Group, Pool

from locust import HttpUser, task
from locust.exception import StopUser


class Side(HttpUser):
    @task
    def all(self):
        get = self.client.get
        jobs = [gevent.spawn(get, f"/spawned/{number}") for number in range(3)]
        gevent.joinall(jobs)
        assert [job.value.status_code for job in jobs] == [200, 200, 200]
        begun = time.perf_counter()
        pool = Pool(5)
        for _ in range(5):
            pool.spawn(get, "/delay/1000", name="pooled")
        pool.join()
        assert time.perf_counter() - begun < 4
        group = Group()
        assert group.map(lambda number: number * 2, [1, 2, 3]) == [2, 4, 6]
        event, result = Event(), AsyncResult()
        gevent.spawn_later(0.02, event.set)
        assert event.wait(timeout=2)
        gevent.spawn(result.set, 42)
        assert result.get(timeout=2) == 42
        semaphore, order = Semaphore(1), []

        def one(number):
            with semaphore:
                order.append(number)
                gevent.sleep(0.01)
                order.append(number)

        gevent.joinall([gevent.spawn(one, number) for number in range(3)])
        assert order == [0, 0, 1, 1, 2, 2], order
        try:
            with gevent.Timeout(0.05):
                gevent.sleep(2)
        except gevent.Timeout:
            get("/timed-out")
        with gevent.Timeout(0.05, False):
            gevent.sleep(2)
        sleeper = gevent.spawn(gevent.sleep, 5)
        gevent.sleep(0)
        sleeper.kill()
        assert sleeper.dead
        failing = gevent.spawn(lambda: 1 / 0)
        failing.join()
        assert isinstance(failing.exception, ZeroDivisionError)
        raise StopUser
