"""Responses of `clients`: requests' own, made as they are looked at."""

from datetime import timedelta
from time import time

from _swarm_runtime import http
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.exceptions import ConnectionError, RequestException
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from ._judging import Judged
from .exception import LocustError

_NOT_CAUGHT = (
    "If you want to change the state of the request using .success() or .failure(), you "
    "must pass catch_response=True. See http://docs.locust.io/en/stable/writing-a-"
    "locustfile.html#validating-responses"
)


class _Lazy:
    """An attribute that is made when it is first asked for."""

    def __init__(self, make):
        self.make, self.name = make, make.__name__

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.make(instance)
        return value


class ResponseContextManager(Judged, Response):
    """A response, whose request can be judged in a `with` block."""

    error = None
    _catch_response = False
    _reported = False
    # Of the short way: what it was made of.
    _answer = _sent = None
    _context = None
    _next = None

    def __init__(self, error):
        super().__init__()
        self.error = error
        self.status_code = 0
        self._catch_response = True
        self.request = error.request

    @_Lazy
    def _pairs(self):
        return http.pairs_of(self._answer.lines())

    @_Lazy
    def headers(self):
        return http.joined(self._pairs)

    @_Lazy
    def encoding(self):
        return get_encoding_from_headers(self.headers)

    @_Lazy
    def reason(self):
        return self._answer.reason()

    @_Lazy
    def raw(self):
        return http.Raw(self._answer, self._pairs)

    @_Lazy
    def _content(self):
        return self._answer.body()

    @_Lazy
    def _content_consumed(self):
        return True

    @_Lazy
    def history(self):
        return []

    @_Lazy
    def elapsed(self):
        return timedelta(milliseconds=self._answer.head_elapsed)

    @_Lazy
    def connection(self):
        return self._sent[0].get_adapter(self.url)

    @_Lazy
    def cookies(self):
        jar = RequestsCookieJar()
        if self._answer is not None and self._answer.sets_cookies:
            extract_cookies_to_jar(jar, self.request, self.raw)
        return jar

    @_Lazy
    def request(self):
        session, method, url, headers, body = self._sent
        request = PreparedRequest()
        request.method, request.url = method, url
        request.headers = CaseInsensitiveDict(
            {key: value for key, value in session.headers.items() if key not in headers}
        )
        request.headers.update({k: v for k, v in headers.items() if v is not None})
        if body:
            request.headers["Content-Length"] = str(len(body))
        request.body = body or None
        request._cookies = session.cookies.copy()
        return request

    @_Lazy
    def request_meta(self):
        """What the listeners of `events.request` are told."""
        answer = self._answer
        return {
            "request_type": self._method,
            "response_time": answer.elapsed,
            "name": self._name,
            "context": self._context_of_request(),
            "response": self,
            "exception": None,
            "start_time": time() - answer.elapsed / 1000,
            "url": self.url,
            "response_length": answer.length,
        }

    def _context_of_request(self):
        user = self._sent[0].user
        return {**(user.context() if user else {}), **(self._context or {})}

    def raise_for_status(self):
        """Raises what the request has failed by, if it has; what was marked goes first."""
        if not self._manual_result:
            if self.error:
                raise self.error
            Response.raise_for_status(self)
        elif isinstance(self._manual_result, Exception):
            raise self._manual_result

    def _failure(self):
        """What the request has failed by, as it is listed: the name stands for the URL."""
        if self.error is None and self.status_code < 400:
            return None
        url, self.url = self.url, self.request_meta["name"]
        try:
            self.raise_for_status()
        except RequestException as error:
            while error.__context__ and isinstance(
                error, (ConnectionError, ProtocolError, MaxRetryError, NewConnectionError)
            ):
                error = error.__context__
            return error
        finally:
            self.url = url
        return None


class RestResponseContextManager(ResponseContextManager):
    """With `js`, see `rest`."""


def _not_caught(self, *_args, **_kwargs):
    raise LocustError(_NOT_CAUGHT)


Response.success = Response.failure = _not_caught
