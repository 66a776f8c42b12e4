"""What the responses of both clients have in common: requests are judged in a `with` block."""

from .exception import CatchResponseError, LocustError, ResponseError

_NOT_ENTERED = (
    "Tried to set status on a request that has not yet been made. Make sure you use a with-block, "
    "like this:\n\nwith self.client.request(..., catch_response=True) as response:\n    response."
)


class Judged:
    """For a class whose `_failure` says what a request has failed by, as it is listed."""

    _manual_result = None
    _entered = False

    def __enter__(self):
        self._entered = True
        if not self._catch_response:
            raise LocustError(
                "In order to use a with-block for requests, you must also pass catch_response=True"
            )
        return self

    def __exit__(self, exc, value, traceback):
        if self._manual_result is not None:
            marked = self._manual_result
            self.request_meta["exception"] = None if marked is True else marked
            self._report()
            return exc is None
        if exc:
            if not isinstance(value, ResponseError):
                # Nothing is recorded.
                return False
            self.request_meta["exception"] = value
        else:
            self.request_meta["exception"] = self._failure()
        self._report()
        return True

    def _report(self):
        self._request_event.fire(**self.request_meta)

    def success(self):
        """The request has succeeded, whatever its status."""
        if not self._entered:
            raise LocustError(f"{_NOT_ENTERED}success()")
        self._manual_result = True

    def failure(self, exc):
        """The request has failed, with this exception or text."""
        if not self._entered:
            raise LocustError(f"{_NOT_ENTERED}failure(...)")
        self._manual_result = exc if isinstance(exc, Exception) else CatchResponseError(exc)
