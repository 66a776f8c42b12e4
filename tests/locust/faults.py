"""One user misbehaves as `fault.txt` says; neighbours in its instance visit /about meanwhile."""

import os
import socket
import subprocess
import sys
import threading
import time

from locust import HttpUser, constant, task

with open("fault.txt") as file:
    FAULT = file.read()


def down():
    return down() + 1


class Nested:
    def __repr__(self):
        return repr(self)


def nested(depth):
    """A list in a list in a list..."""
    inner = []
    for _ in range(depth):
        inner = [inner]
    return inner


class Faults:
    """Each method is a fault. What it returns is visited."""

    def raises(self):
        raise ValueError("the basket is empty")

    def raises_deeply(self):
        try:
            self.raises()
        except ValueError as error:
            raise RuntimeError("no way on") from error

    def recursion(self):
        return down()

    def recursion_in_c(self):
        return repr(Nested())

    def recursion_in_the_parser(self):
        return eval("(" * 5000 + ")" * 5000)

    def freed_lists(self):
        nested(1_000_000)
        return "/freed"

    def spins(self):
        while True:
            pass

    def eats(self):
        eaten = []
        while True:
            eaten.append(bytes(1 << 20))

    def eats_at_once(self):
        return bytes((1 << 31) - 64)

    def exits(self):
        sys.exit(3)

    def exits_at_once(self):
        os._exit(3)

    def threads(self):
        found = []

        def work():
            time.sleep(0.01)
            found.append(threading.current_thread().name)

        workers = [threading.Thread(target=work, name=str(number)) for number in range(20)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sorted(map(int, found)) == list(range(20)), found
        return "/threads"

    def fails_in_a_thread(self):
        worker = threading.Thread(target=self.raises)
        worker.start()
        worker.join()
        return "/after-thread"

    def processes(self):
        return subprocess.run(["true"])

    def sockets(self):
        return socket.create_connection(("127.0.0.1", 80))

    def reads_files(self):
        return open("/etc/passwd")

    def writes_files(self):
        return open("/app/new", "w")

    def prints(self):
        for number in range(100_000):
            print("a line that is in nobody's interest", number)
        return "/printed"

    def prints_a_gigabyte(self):
        print("x" * (1 << 30))

    def odd_texts(self):
        response = self.client.get("/odd", name="half \ud800 of a pair")
        raise ValueError(f"half \udfff of a pair {response.status_code}")


class Villain(Faults, HttpUser):
    fixed_count = 1
    wait_time = constant(0.1)

    @task
    def misbehave(self):
        path = getattr(self, FAULT)()
        if isinstance(path, str):
            self.client.get(path)


class Neighbour(HttpUser):
    wait_time = constant(0.01)

    @task
    def about(self):
        self.client.get("/about")
