"""Locks, threads, queues and executors of the standard library."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from locust import HttpUser, task
from locust.exception import StopUser

lock = threading.Lock()
inside = 0
local = threading.local()


class Threads(HttpUser):
    def on_start(self):
        local.name = "user"

    @task
    def all(self):
        global inside
        assert local.name == "user"
        seen = []

        def work(number):
            global inside
            with lock:
                inside += 1
                assert inside == 1
                self.client.get("/locked")
                inside -= 1
            assert not hasattr(local, "name")
            seen.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == [0, 1, 2] and not threads[0].is_alive()
        with ThreadPoolExecutor(max_workers=2) as executor:
            assert list(executor.map(lambda number: number + 1, range(4))) == [1, 2, 3, 4]
            executor.submit(self.client.get, "/submitted").result()
        items = queue.Queue()
        threading.Thread(target=lambda: (time.sleep(0.01), items.put("x"))).start()
        assert items.get(timeout=2) == "x"
        ready = threading.Event()
        threading.Timer(0.01, ready.set).start()
        assert ready.wait(2)
        recursive = threading.RLock()
        with recursive, recursive:
            self.client.get("/recursive")
        raise StopUser
