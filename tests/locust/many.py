"""Waits in every place where users of one interpreter could get into each other, and looks whether
they have. Many users run it side by side; each task says how it went by what it requests."""

import contextvars
import gc
import itertools
import json
import random
import re
import sys
import threading
import time

from locust import HttpUser, between, task

variable = contextvars.ContextVar("variable", default=None)
local = threading.local()
lock = threading.Lock()
inside = []
numbers = itertools.count(1)


class Odd:
    pass


class Many(HttpUser):
    wait_time = between(0.01, 0.05)

    def on_start(self):
        self.id = next(numbers)

    def look(self):
        """Waits, so that others run."""
        response = self.client.get("/about")
        assert response.status_code == 200
        return response

    def done(self, name):
        self.client.get(f"/items?item={name}", name=name)

    @task
    def recursion(self):
        def down(depth):
            if depth:
                return down(depth - 1)
            self.look()
            return self.id

        for depth in (1, 50, 400):
            assert down(depth) == self.id
        self.done("recursion")

    @task
    def exceptions(self):
        try:
            try:
                raise KeyError(self.id)
            except KeyError:
                self.look()
                assert sys.exc_info()[1].args == (self.id,), sys.exc_info()
                try:
                    self.look()
                    raise ValueError(self.id)
                finally:
                    self.look()
                    assert sys.exc_info()[1].args == (self.id,)
        except ValueError as error:
            assert error.args == (self.id,) and error.__context__.args == (self.id,)
        assert sys.exc_info() == (None, None, None)
        self.done("exceptions")

    @task
    def generators(self):
        def pages():
            for number in range(3):
                self.look()
                yield number, self.id

        expected = [(number, self.id) for number in range(3)]
        assert list(pages()) == expected
        one, other = pages(), pages()
        both = [page for pair in zip(one, other) for page in pair]
        assert both == [page for page in expected for _ in "ab"]
        self.done("generators")

    @task
    def through_c(self):
        def key(number):
            self.look()
            return (number * 7 + self.id) % 11

        expected = sorted(range(5), key=lambda number: (number * 7 + self.id) % 11)
        assert sorted(range(5), key=key) == expected

        def default(_):
            self.look()
            return self.id

        text = json.dumps([Odd(), {"a": Odd()}], default=default)
        assert text == f'[{self.id}, {{"a": {self.id}}}]'

        def replace(_):
            self.look()
            return str(self.id)

        assert re.sub("x", replace, "axbx") == f"a{self.id}b{self.id}"
        assert eval("[look() and i for i in range(2)]", {"look": self.look}) == [0, 1]
        self.done("through_c")

    @task
    def special_methods(self):
        user = self

        class Magic:
            def __eq__(self, other):
                user.look()
                return other == user.id

            def __len__(self):
                user.look()
                return user.id

            def __getattr__(self, name):
                user.look()
                return name, user.id

            def __enter__(self):
                user.look()
                return self

            def __exit__(self, *_):
                user.look()
                return True

        magic = Magic()
        assert magic == self.id and len(magic) == self.id and magic.x == ("x", self.id)
        with magic:
            raise ValueError
        self.done("special_methods")

    @task
    def contexts(self):
        variable.set(self.id)
        local.value = self.id
        self.look()
        assert variable.get() == self.id, (variable.get(), self.id)
        assert local.value == self.id
        self.done("contexts")

    @task
    def locks(self):
        with lock:
            inside.append(self.id)
            assert inside == [self.id], inside
            self.look()
            assert inside.pop() == self.id
        self.done("locks")

    @task
    def garbage(self):
        nodes = [Odd() for _ in range(20)]
        for one, other in zip(nodes, nodes[1:] + nodes[:1]):
            one.next = other
        self.look()
        del nodes, one, other
        if random.random() < 0.02:
            gc.collect()
        self.look()
        self.done("garbage")

    @task
    def sleeps(self):
        begun = time.monotonic()
        time.sleep(0.01)
        assert time.monotonic() - begun >= 0.009
        self.done("sleeps")

    @task
    def no_end(self):
        def down(depth):
            return down(depth + 1) + 1

        def through_c(depth):
            return sorted([1], key=lambda _: through_c(depth + 1))

        for function in (down, through_c):
            try:
                function(0)
            except RecursionError:
                self.look()
            else:
                raise AssertionError
        nested = []
        for _ in range(2000):
            nested = [nested]
        try:
            json.dumps(nested)
        except RecursionError:
            self.look()
        self.done("no_end")
