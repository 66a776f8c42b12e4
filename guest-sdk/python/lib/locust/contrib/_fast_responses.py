"""Requests, responses and errors of `fasthttp`."""

import json as json_module
from datetime import timedelta

from _swarm_runtime import http
from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPConnectionClosed
from geventhttpclient.useragent import CompatRequest, ConnectionError, HTTPParseError
from requests.utils import get_encoding_from_headers

from .._judging import Judged
from ..exception import LocustError

VALID = frozenset((200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 301, 302, 303, 304, 307, 308))
REDIRECTS = frozenset((301, 302, 303, 307, 308))

_NOT_CAUGHT = (
    "If you want to change the state of the request, you must pass catch_response=True. "
    "See http://docs.locust.io/en/stable/writing-a-locustfile.html#validating-responses"
)
# What counts as a failure of a request; anything else is raised into the task.
FAILURE_EXCEPTIONS = (ConnectionError, OSError, HTTPParseError, HTTPConnectionClosed)


class LocustBadStatusCode(ConnectionError):
    """The status is not one of a success."""

    def __repr__(self):
        text = super().__repr__()
        return text.replace(repr(self.url) + ", ", "") if self.kw_text else text


class FastRequest(CompatRequest):
    """What was sent."""

    @property
    def body(self):
        return self.payload


class FastResponse:
    """A response. `_response` is the host's answer, or None if there is none."""

    _response = request = error = _sent = None
    encoding = None
    _history = ()
    _cached_headers = None

    def __init__(self, answer=None, request=None, sent_request=None):
        self._response, self.request = answer, request

    @property
    def headers(self):
        if self._response is None:
            return None
        if self._cached_headers is None:
            self._cached_headers = Headers(http.pairs_of(self._response.lines()))
        return self._cached_headers

    @property
    def content(self):
        if self._response is None:
            return None
        try:
            return self._cached_content
        except AttributeError:
            self._cached_content = self._response.body()
            return self._cached_content

    @property
    def text(self):
        content = self.content
        if content is None:
            return None
        if self.encoding is None:
            self.encoding = get_encoding_from_headers(self.headers) or _detected(content)
        return str(content, str(self.encoding), errors="replace")

    @property
    def url(self):
        return self.request.url if self.request is not None else None

    @property
    def status_code(self):
        return self._response.status if self._response is not None else 0

    @property
    def ok(self):
        return self.status_code < 400

    @property
    def status(self):
        return str(self.status_code)

    @property
    def data(self):
        return self.content

    @property
    def history(self):
        return list(self._history)

    @property
    def elapsed(self):
        if self._response is None:
            return None
        return timedelta(milliseconds=self._response.head_elapsed)

    def json(self):
        return json_module.loads(self.text)

    def info(self):
        return self.headers

    def read(self, size=None):
        return self.content if size is None else self.content[:size]

    def raise_for_status(self):
        """Raises what the request has failed by, if it has."""
        if self.error is not None:
            raise self.error

    def iter_content(self, chunk_size=1024, decode_content=True):
        """The body in parts. It has been received wholly when the response is there."""
        if self._response is None:
            raise LocustError("Cannot iterate content on a response without _response attribute")
        for begin in range(0, len(self.content), chunk_size):
            chunk = self.content[begin : begin + chunk_size]
            if decode_content:
                try:
                    chunk = chunk.decode("utf-8")
                except UnicodeDecodeError:
                    pass
            yield chunk

    def release(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()

    def success(self):
        raise LocustError(_NOT_CAUGHT)

    def failure(self, *_args, **_kwargs):
        raise LocustError(_NOT_CAUGHT)


class ErrorResponse(FastResponse):
    """Stands for the response of a request that got none."""

    def __init__(self, request, error):
        super().__init__(None, request)
        self.error = error

    def raise_for_status(self):
        raise self.error


def _detected(content):
    """The encoding of a text that does not say it."""
    for encoding in ("ascii", "utf-8"):
        try:
            content.decode(encoding)
            return encoding
        except UnicodeDecodeError:
            pass
    return "latin-1"


class ResponseContextManager(Judged, FastResponse):
    """A response whose request is judged in a `with` block."""

    def __init__(self, response, request_event, request_meta, catch_response):
        self.__dict__.update(response.__dict__)
        self._request_event, self.request_meta = request_event, request_meta
        self._catch_response = catch_response

    def _failure(self):
        try:
            self.raise_for_status()
        except FAILURE_EXCEPTIONS as error:
            return error
        return None

    def raise_for_status(self):
        if not self._manual_result:
            super().raise_for_status()
        elif isinstance(self._manual_result, Exception):
            raise self._manual_result


class RestResponseContextManager(ResponseContextManager):
    """With `js`, see `rest`."""
