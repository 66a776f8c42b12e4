"""FastHttpUser: the same requests with geventhttpclient's face.

Names, successes and errors are those of Locust's FastHttpUser, and so are headers and URLs on the
wire; sending is the host's matter, as it is for HttpUser.
"""

import json as json_module
import time
from base64 import b64encode
from http.cookiejar import CookieJar
from urllib.parse import quote, urlencode

import _swarm
from _swarm_runtime import http
from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPConnectionClosed
from geventhttpclient.url import URL
from geventhttpclient.useragent import (
    DEFAULT_USER_AGENT,
    HTTPParseError,
    RetriesExceeded,
    UnsupportedRedirectSchemeError,
    encode_multipart_formdata,
)

from .._session import Session, without_login
from ..clients import _PLAIN_BASE, _path_of
from ..exception import LocustError, StopTest
from ..user.users import NO_HOST, RestMixin, User
from ._fast_responses import (
    FAILURE_EXCEPTIONS,
    REDIRECTS,
    VALID,
    ErrorResponse,
    FastRequest,
    FastResponse,
    LocustBadStatusCode,
    ResponseContextManager,
    RestResponseContextManager,
)


def _construct_basic_auth_str(username, password):
    parts = [
        part.encode("latin1") if isinstance(part, str) else part for part in (username, password)
    ]
    return "Basic " + b64encode(b":".join(parts)).strip().decode("ascii")


_default_lines = None


def _lines_of_default():
    global _default_lines
    if _default_lines is None:
        _default_lines = _swarm.lines(
            http.lines_of(
                {"User-Agent": DEFAULT_USER_AGENT, "Accept-Encoding": "gzip, deflate, br"}
            )
        )
    return _default_lines


class FastHttpSession(Session):
    """The client of FastHttpUser."""

    auth_header = None
    _default_headers = None

    def __init__(
        self,
        base_url,
        request_event,
        user,
        insecure=True,
        client_pool=None,
        ssl_context_factory=None,
        headers=None,
        max_redirects=30,
        max_retries=0,
        network_timeout=60.0,
        connection_timeout=60.0,
        proxy_host=None,
        **_kwargs,
    ):
        if proxy_host:
            raise LocustError("proxies are not available in swarm")
        self.request_event, self.user, self.insecure = request_event, user, insecure
        self.max_redirects, self.max_retries = int(max_redirects), int(max_retries)
        self.network_timeout = network_timeout
        self.cookiejar = CookieJar()
        self.base_url = base_url
        if headers:
            self._default_headers = dict(headers)
        if base_url:
            self.base_url, login = without_login(base_url)
            if login is not None:
                self.auth_header = _construct_basic_auth_str(*login)

    @property
    def client(self):
        """Of geventhttpclient's agent there is nothing here but what this session has."""
        return self

    def request(
        self,
        method,
        url,
        name=None,
        data=None,
        catch_response=False,
        stream=False,
        headers=None,
        auth=None,
        json=None,
        allow_redirects=True,
        context={},
        params=None,
        files=None,
        **kwargs,
    ):
        """Sends a request; the sample is recorded, or will be when the `with` block ends."""
        if self.request_name and not name:
            name = self.request_name
        full = self._build_url(url)
        headers = dict(headers) if headers else {}
        if auth:
            headers["Authorization"] = _construct_basic_auth_str(auth[0], auth[1])
        elif self.auth_header:
            headers["Authorization"] = self.auth_header
        if not data and json is not None:
            data = json_module.dumps(json)
            if "Content-Type" not in headers and "content-type" not in headers:
                headers["Content-Type"] = "application/json"
            if "Accept" not in headers and "accept" not in headers:
                headers["Accept"] = "application/json"
        if kwargs:
            # geventhttpclient takes what it does not know for parameters.
            if method.upper() == "POST" and not data:
                data = kwargs
            elif method.upper() != "POST" and not params:
                params = kwargs
        label = name or url
        plain = not (
            headers or data or params or files or self._default_headers or self.cookiejar._cookies
        )
        recorded, response, elapsed = self._send(
            method,
            full,
            label if self.request_event.alone and not (catch_response or stream) else None,
            plain,
            headers,
            data,
            params,
            files,
            allow_redirects,
        )
        if recorded:
            return response
        if stream:
            elapsed = min(elapsed, getattr(response._response, "head_elapsed", elapsed))
        meta = {
            "request_type": method,
            "name": label,
            "context": {**(self.user.context() if self.user else {}), **context},
            "response": response,
            "exception": response.error,
            "start_time": time.time() - elapsed / 1000,
            "url": full,
            "response_length": self._length(response, stream),
            "response_time": elapsed,
        }
        if catch_response:
            return ResponseContextManager(response, self.request_event, meta, catch_response)
        self.request_event.fire(**meta)
        return response

    @staticmethod
    def _length(response, stream):
        if stream:
            return int((response.headers or {}).get("content-length") or 0)
        return response._response.length if response._response is not None else 0

    def _send(self, method, url, name, plain, headers, data, params, files, allow_redirects):
        """Sends a request and follows its redirects. Returns whether its sample is recorded, the
        response, and the time of all hops in milliseconds."""
        request = self._request(method, url, headers, data, params, files) if not plain else None
        spent, history, hops = 0.0, [], self.max_redirects if allow_redirects else 0
        manner = http.INSECURE if self.insecure else 0
        timeout = http.milliseconds(self.network_timeout)
        while True:
            if request is None:
                target, lines, further, body = self._target(url), _lines_of_default(), b"", b""
                sent = method.upper()
                if sent in ("POST", "PUT", "PATCH"):
                    manner |= http.SAYS_LENGTH
            else:
                if history or self.cookiejar._cookies:
                    self.cookiejar.add_cookie_header(request)
                target, lines = self._target(request.url), http.no_lines()
                sent, body = request.method, http.body_of(request.payload)
                further = http.lines_of(request.headers.lines())
                if not body and sent in ("POST", "PUT", "PATCH"):
                    manner |= http.SAYS_LENGTH
            answer = http.fetch(
                self._client or self._host_client(),
                sent,
                target,
                None if history else name,
                lines,
                further,
                body,
                timeout,
                manner,
            )
            if type(answer) is tuple:
                return False, self._error(answer, url, request, method), spent + answer[2]
            spent += answer.elapsed
            if answer.stopping and self.user:
                self.user._stopping_soon = True
            response = FastResponse(answer, request)
            if request is None:
                response._sent = (method, url)
                if answer.sets_cookies or answer.status in REDIRECTS:
                    request = self._request(method, url, headers, data, params, files)
                    response.request = request
            if answer.sets_cookies:
                self.cookiejar.extract_cookies(response_info(response), request)
            if answer.status not in VALID:
                response.error = LocustBadStatusCode(
                    url if request is None else request.url, code=answer.status
                )
                return False, response, spent
            location = response.headers.get("location") if answer.status in REDIRECTS else None
            if not hops or not location:
                response._history = history
                return answer.recorded, response, spent
            history.append(response)
            if len(history) > hops:
                error = RetriesExceeded(url, f"Redirection limit reached ({hops})")
                return False, ErrorResponse(request, error), spent
            try:
                request.redirect(answer.status, location)
            except UnsupportedRedirectSchemeError as error:
                return False, ErrorResponse(request, error), spent

    def _request(self, method, url, headers, data, params, files):
        all_headers = Headers({"User-Agent": DEFAULT_USER_AGENT})
        if self._default_headers:
            all_headers.update(self._default_headers)
        all_headers.update(headers)
        if "accept-encoding" not in all_headers:
            all_headers["Accept-Encoding"] = "gzip, deflate, br"
        content_type = all_headers.get("content-type")
        if files:
            data, all_headers["content-type"] = encode_multipart_formdata(files, data)
        elif data:
            if isinstance(data, dict):
                if not content_type:
                    all_headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
                data = urlencode(data).encode()
            elif not content_type and isinstance(data, str):
                all_headers["content-type"] = "text/plain; charset=utf-8"
                data = data.encode()
            elif not content_type:
                all_headers["content-type"] = "application/octet-stream"
        return FastRequest(url, method=method, headers=all_headers, payload=data, params=params)

    def _target(self, url):
        """The URL that goes out."""
        if _is_plain(self.base_url, url):
            return url
        split = URL(url)
        netloc = split.netloc.rpartition("@")[2]
        return f"{split.scheme}://{netloc}{split.quoted_uri or '/'}"

    def _error(self, answer, url, request, method):
        kind, message, _ = answer
        if kind == http.STOPPED:
            raise http.exception_of(kind, message, url, None)
        if request is None:
            request = FastRequest(url, method=method, headers=Headers())
        return ErrorResponse(request, self._exception(kind, message, url))

    def _exception(self, kind, message, url):
        if kind == http.TIMEOUT:
            error = TimeoutError("timed out")
            return RetriesExceeded(url, self.max_retries, original=error)
        if kind == http.CONNECT and "before the response began" in message:
            return HTTPConnectionClosed("connection closed.")
        if kind == http.CONNECT and "closed before the response was complete" in message:
            return HTTPParseError("Incomplete response.")
        if kind == http.PROTOCOL:
            return HTTPParseError(message)
        error = http.exception_of(kind, message, url, None)
        while error.__context__ is not None:
            error = error.__context__
        if kind == http.TLS:
            error = error.args[0]
        return error

    def get(self, url, **kwargs):
        return self.request("GET", url, **kwargs)

    def head(self, url, **kwargs):
        return self.request("HEAD", url, **kwargs)

    def options(self, url, **kwargs):
        return self.request("OPTIONS", url, **kwargs)

    def delete(self, url, **kwargs):
        return self.request("DELETE", url, **kwargs)

    def patch(self, url, data=None, **kwargs):
        return self.request("PATCH", url, data=data, **kwargs)

    def post(self, url, data=None, json=None, **kwargs):
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url, data=None, **kwargs):
        return self.request("PUT", url, data=data, **kwargs)

    def iter_lines(self, url, method="GET", **kwargs):
        """The lines of an answer."""
        response = self.request(method, url, stream=True, **kwargs)
        response.raise_for_status()
        rest = ""
        for chunk in response.iter_content(chunk_size=1024, decode_content=True):
            rest += chunk if isinstance(chunk, str) else chunk.decode("utf-8", errors="replace")
            *lines, rest = rest.split("\n")
            yield from lines
        if rest:
            yield rest


class response_info:
    """What http.cookiejar asks a response for."""

    def __init__(self, response):
        self._head = http.Head(http.pairs_of(response._response.lines()))

    def info(self):
        return self._head


def _is_plain(base_url, url):
    if not base_url or not url.startswith(base_url) or _path_of(base_url) is None:
        return False
    return _swarm.is_plain(url[len(base_url) :] or "/") and bool(_PLAIN_BASE.fullmatch(base_url))


class FastHttpUser(User, RestMixin):
    """A user with an HTTP client that has geventhttpclient's names: `self.client`."""

    network_timeout = 60.0
    connection_timeout = 60.0
    max_redirects = 30
    max_retries = 0
    insecure = True
    default_headers = None
    concurrency = 10
    proxy_host = None
    proxy_port = None
    client_pool = None
    ssl_context_factory = None
    abstract = True

    def __init__(self, environment):
        super().__init__(environment)
        if self.host is None:
            raise StopTest(NO_HOST)
        self.client = FastHttpSession(
            base_url=self.host,
            request_event=self.environment.events.request,
            network_timeout=self.network_timeout,
            connection_timeout=self.connection_timeout,
            max_redirects=self.max_redirects,
            max_retries=self.max_retries,
            insecure=self.insecure,
            concurrency=self.concurrency,
            user=self,
            client_pool=self.client_pool,
            ssl_context_factory=self.ssl_context_factory,
            headers=self.default_headers,
            proxy_host=self.proxy_host,
            proxy_port=self.proxy_port,
        )


__all__ = [
    "FAILURE_EXCEPTIONS",
    "ErrorResponse",
    "FastHttpSession",
    "FastHttpUser",
    "FastRequest",
    "FastResponse",
    "LocustBadStatusCode",
    "ResponseContextManager",
    "RestResponseContextManager",
    "quote",
]
