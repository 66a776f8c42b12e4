"""The ways through a `with` block."""

from locust import HttpUser, task
from locust.exception import CatchResponseError, ResponseError, StopUser


class Caught(HttpUser):
    @task
    def all(self):
        get = self.client.get

        def caught(name, path="/status/200"):
            return get(path, name=name, catch_response=True)

        with caught("untouched"):
            pass
        with caught("untouched 404", "/status/404"):
            pass
        with caught("succeeded 404", "/status/404") as r:
            r.success()
        with caught("failed") as r:
            r.failure("a text")
        with caught("failed by exception") as r:
            r.failure(ValueError("a value"))
        with caught("failed by number") as r:
            r.failure(42)
        with caught("both ways") as r:
            r.failure("no")
            r.success()
        with caught("both ways back") as r:
            r.success()
            r.failure("last word")
        with caught("raised response error"):
            raise ResponseError("raised")
        for name, mark in (("raised", None), ("raised marked", "marked")):
            try:
                with caught(name) as r:
                    if mark:
                        r.failure(mark)
                    raise KeyError("out of the block")
            except KeyError:
                pass
        try:
            with caught("catch error"):
                raise CatchResponseError("x")
        except CatchResponseError:
            pass
        caught("never entered")
        with caught("status raised", "/status/500") as r:
            try:
                r.raise_for_status()
            except Exception as error:
                r.failure(error)
        with caught("marked, then asked") as r:
            r.failure("mine")
            try:
                r.raise_for_status()
            except CatchResponseError as error:
                assert str(error) == "mine"
        raise StopUser
