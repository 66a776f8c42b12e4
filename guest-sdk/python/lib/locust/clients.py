"""The client of HttpUser: requests' session, with a short way for most requests.

A request that needs nothing which requests would have to do (no files, authentication, hooks and
the like) is put together here and goes to the host in one call. Everything else goes through
requests itself. What comes back is a `requests.Response` either way; of a short way's response a
part is made when it is first looked at.
"""

import functools
import json as json_module
import re
from time import perf_counter, time
from urllib.parse import urlencode

import _swarm
import requests
from _swarm_runtime import http
from requests.auth import HTTPBasicAuth
from requests.cookies import (
    MockRequest,
    extract_cookies_to_jar,
)
from requests.exceptions import (
    InvalidHeader,
    InvalidJSONError,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    RequestException,
)
from requests.models import PreparedRequest, RequestEncodingMixin
from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity, default_headers

from ._responses import ResponseContextManager, RestResponseContextManager
from ._session import Session, absolute_http_url_regexp, without_login
from ._state import Headers, Jar, lines_of_default

# Hosts whose URLs are what requests makes of them, as far as this goes.
_PLAIN_BASE = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[1-9][0-9]{0,4})?(/.*)?"
)

_REDIRECTS = (301, 302, 303, 307, 308)

# Arguments of a request that the short way knows, beside those that it names.
_SHORT = frozenset(("params", "headers", "timeout", "allow_redirects", "verify"))


@functools.lru_cache(maxsize=4096)
def _prepared(url):
    """A URL as requests sends it, and path and query of that."""
    request = PreparedRequest()
    request.prepare_url(url, None)
    if request.url is None or not absolute_http_url_regexp.match(request.url):
        raise InvalidSchema(f"No connection adapters were found for {request.url!r}")
    return request.url.partition("#")[0], request.path_url


class HttpSession(Session, requests.Session):
    """A session whose requests are samples.

    Of requests' session only what is used is made: there may be thousands. `__init__` of the base
    class is not called; its attributes are defaults here, or made when they are asked for.
    """

    auth = cert = None
    verify = True
    stream = False
    max_redirects = 30
    trust_env = False
    # Nobody has asked for an attribute that the short way does not know.
    _short = True
    _headers = _jar = None

    # With these the long way is needed.
    _LONG = frozenset(
        ("auth", "cert", "stream", "params", "hooks", "proxies", "adapters", "cookies")
    )

    def __init__(self, base_url, request_event, user, *args, pool_manager=None, **kwargs):
        self.request_event, self.user = request_event, user
        self.base_url, login = without_login(base_url)
        if login is not None:
            self.auth = HTTPBasicAuth(*login)

    def __setattr__(self, name, value):
        if name in self._LONG:
            self.__dict__["_short"] = False
        elif name == "base_url":
            self.__dict__["_path"] = _path_of(value)
        elif name == "headers":
            value = value if isinstance(value, Headers) else Headers(value or {})
            name = "_headers"
        object.__setattr__(self, name, value)

    @property
    def headers(self):
        if self._headers is None:
            self._headers = Headers(default_headers())
        return self._headers

    def __getattr__(self, name):
        if name == "cookies":
            value = self.__dict__["cookies"] = self._jar = Jar()
        elif name == "params" or name == "proxies":
            value, self._short = self.__dict__.setdefault(name, {}), False
        elif name == "hooks":
            value, self._short = self.__dict__.setdefault(name, {"response": []}), False
        elif name == "adapters":
            adapter = http.HostAdapter(client=self._host_client())
            value = self.__dict__["adapters"] = {"https://": adapter, "http://": adapter}
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return value

    def mount(self, prefix, adapter):
        """An adapter of the script's own: then all goes through requests."""
        if isinstance(adapter, http.HostAdapter) and adapter._client is None:
            adapter._client = self._host_client()
        self._short = False
        super().mount(prefix, adapter)

    def get(self, url, *, data=None, json=None, **kwargs):
        return self.request("GET", url, data=data, json=json, **kwargs)

    def options(self, url, *, data=None, json=None, **kwargs):
        return self.request("OPTIONS", url, data=data, json=json, **kwargs)

    def head(self, url, *, data=None, json=None, **kwargs):
        kwargs.setdefault("allow_redirects", False)
        return self.request("HEAD", url, data=data, json=json, **kwargs)

    def post(self, url, data=None, json=None, **kwargs):
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url, data=None, *, json=None, **kwargs):
        return self.request("PUT", url, data=data, json=json, **kwargs)

    def patch(self, url, data=None, *, json=None, **kwargs):
        return self.request("PATCH", url, data=data, json=json, **kwargs)

    def delete(self, url, *, data=None, json=None, **kwargs):
        return self.request("DELETE", url, data=data, json=json, **kwargs)

    def request(
        self,
        method,
        url,
        name=None,
        catch_response=False,
        context={},
        *,
        data=None,
        json=None,
        **kwargs,
    ):
        """Sends a request; the sample is recorded, or will be when the `with` block ends."""
        if self.request_name and not name:
            name = self.request_name
        is_short = (
            self._short
            and (not kwargs or kwargs.keys() <= _SHORT)
            and (not data or isinstance(data, (dict, list, tuple, str, bytes)))
        )
        if not is_short or not isinstance(url, str) or not isinstance(method, str):
            return self._long(method, url, name, catch_response, context, data, json, kwargs)
        try:
            if url[:1] == "/" and self._path is not None and _swarm.is_plain(url):
                path = self._path + url if self._path else url
                full = self.base_url + url
            else:
                full, path = _prepared(self._build_url(url))
            further, sent, body, timeout, manner = b"", {}, b"", 0, 0
            if kwargs:
                if kwargs.get("params"):
                    full, path = _with_params(full, path, kwargs["params"])
                timeout = http.milliseconds(kwargs.get("timeout"))
            if data:
                body, sent = _body_of(data)
            elif json is not None:
                body, sent = _json_of(json), {"Content-Type": "application/json"}
            elif method != "GET" and method.upper() not in ("GET", "HEAD"):
                manner = http.SAYS_LENGTH
            verify = kwargs.get("verify") if kwargs else None
            if (self.verify if verify is None else verify) is False:
                manner |= http.INSECURE
            common = self._common()
            if (
                sent
                or (kwargs and kwargs.get("headers"))
                or (self._jar is not None and self._jar._cookies)
            ):
                common, further, sent = self._further(common, kwargs.get("headers"), sent, full)
        except (MissingSchema, InvalidSchema, InvalidURL):
            raise
        except RequestException as error:
            return self._failed(error, method, url, name, catch_response, context)
        hook = self.request_event
        answer = http.fetch(
            self._client or self._host_client(),
            method.upper(),
            full,
            None if catch_response or not hook.alone or not method.isupper() else name or path,
            common,
            further,
            body,
            timeout,
            manner,
        )
        if type(answer) is tuple:
            error = http.exception_of(answer[0], answer[1], full, None)
            if answer[0] == http.STOPPED:
                raise error
            response = ResponseContextManager(error)
            response._sent = (self, method.upper(), full, sent, body)
            del response.request
            error.request = response.request
            return self._judged(
                response, method, name or path, answer[2], full, catch_response, context
            )
        response = ResponseContextManager.__new__(ResponseContextManager)
        response._answer, response.status_code, response.url = answer, answer.status, full
        response._sent = (self, method.upper(), full, sent, body)
        if answer.sets_cookies:
            extract_cookies_to_jar(self.cookies, response.request, response.raw)
        if answer.stopping and self.user:
            self.user._stopping_soon = True
        status = answer.status
        if 300 < status < 309 and status in _REDIRECTS and kwargs.get("allow_redirects", True):
            if response.is_redirect:
                return self._redirected(
                    response, method, name or path, kwargs, catch_response, context
                )
        response._request_event, response._method = hook, method
        response._name = name or path
        if context:
            response._context = context
        if catch_response:
            response._catch_response = True
        elif not answer.recorded:
            response.__exit__(None, None, None)
        return response

    def _common(self):
        """The session's header lines, as the host knows them."""
        headers = self._headers
        if headers is None:
            return lines_of_default()
        if headers.lines is None:
            headers.lines = _swarm.lines(http.lines_of(headers))
        return headers.lines

    def _further(self, common, headers, sent, url):
        """Common lines, further ones, and the request's own headers as a dict."""
        if headers:
            for header in headers.items():
                if header[1] is not None:
                    check_header_validity(header)
            own = CaseInsensitiveDict(headers)
            for key, value in sent.items():
                own.setdefault(key, value)
            sent = own
            if any(value is None and key in self.headers for key, value in own.items()):
                # A common line is not to be sent.
                kept = {k: v for k, v in self.headers.items() if own.get(k, v) is not None}
                common = _swarm.lines(http.lines_of(kept))
        if (
            self._jar is not None
            and self._jar._cookies
            and "Cookie" not in sent
            and "Cookie" not in (self._headers or ())
        ):
            cookie = self._jar.header(url)
            if cookie is not None:
                sent = {**sent, "Cookie": cookie}
        try:
            return common, http.lines_of(sent), sent
        except UnicodeEncodeError as error:
            raise InvalidHeader(str(error)) from None

    def _redirected(self, response, method, name, kwargs, catch_response, context):
        """Follows redirects by requests. They are one sample with the first request."""
        url, begun = response.url, perf_counter()
        spent = response._answer.elapsed
        try:
            hops = list(
                self.resolve_redirects(
                    response,
                    response.request,
                    timeout=kwargs.get("timeout"),
                    verify=self.verify if kwargs.get("verify") is None else kwargs["verify"],
                    proxies={},
                )
            )
        except (MissingSchema, InvalidSchema, InvalidURL):
            raise
        except RequestException as error:
            response = ResponseContextManager(error)
        else:
            if hops:
                first, response = response, hops.pop()
                response.history = [first, *hops]
        finally:
            spent += (perf_counter() - begun) * 1000
        response.__class__ = ResponseContextManager
        return self._judged(response, method, name, spent, url, catch_response, context)

    def _failed(self, error, method, url, name, catch_response, context):
        """A request that could not be put together."""
        response = ResponseContextManager(error)
        return self._judged(
            response, method, name or url, 0.0, self._build_url(url), catch_response, context
        )

    def _long(self, method, url, name, catch_response, context, data, json, kwargs):
        """Sends by requests itself."""
        method = method.decode("latin-1") if isinstance(method, bytes) else method
        url = url.decode("utf-8") if isinstance(url, bytes) else url
        full, begun = self._build_url(url), perf_counter()
        try:
            response = super().request(method, full, data=data, json=json, **kwargs)
        except (MissingSchema, InvalidSchema, InvalidURL):
            raise
        except RequestException as error:
            response = ResponseContextManager(error)
        spent = (perf_counter() - begun) * 1000
        response.__class__ = ResponseContextManager
        sent = (response.history[0] if response.history else response).request
        if sent is not None:
            full, name = str(sent.url), name or sent.path_url
        length = None
        if kwargs.get("stream", self.stream):
            length = int(response.headers.get("content-length") or 0)
            if response.status_code:
                spent = min(spent, response.elapsed.total_seconds() * 1000)
        return self._judged(
            response, method, name or str(url), spent, full, catch_response, context, length
        )

    def _judged(self, response, method, name, elapsed, url, catch_response, context, length=None):
        """A response with all that its sample needs; recorded, unless it is to be caught."""
        context = {**(self.user.context() if self.user else {}), **context}
        response._request_event, response._catch_response = self.request_event, catch_response
        response._manual_result, response._entered = None, False
        response.request_meta = {
            "request_type": method,
            "response_time": elapsed,
            "name": name,
            "context": context,
            "response": response,
            "exception": None,
            "start_time": time() - elapsed / 1000,
            "url": url,
            "response_length": len(response.content or b"") if length is None else length,
        }
        if not catch_response:
            response.__exit__(None, None, None)
        return response


def _path_of(base_url):
    """The path of a base URL that goes out as it is; None if requests has to look at it."""
    found = _PLAIN_BASE.fullmatch(base_url) if isinstance(base_url, str) else None
    if not found:
        return None
    path = found[1] or ""
    return path if not path or ("?" not in path and _swarm.is_plain(path)) else None


def _with_params(full, path, params):
    encoded = RequestEncodingMixin._encode_params(params)
    if isinstance(encoded, bytes):
        encoded = encoded.decode()
    if not encoded:
        return full, path
    if isinstance(params, (str, bytes)):
        # requests quotes what has to be quoted.
        request = PreparedRequest()
        request.prepare_url(full, encoded)
        return request.url, request.path_url
    separator = "&" if "?" in path else "?"
    return f"{full}{separator}{encoded}", f"{path}{separator}{encoded}"


def _body_of(data):
    """The bytes of `data`, and the header that says what they are."""
    if isinstance(data, str):
        return data.encode("utf-8"), {}
    if isinstance(data, bytes):
        return data, {}
    encoded = RequestEncodingMixin._encode_params(data)
    return encoded.encode("utf-8"), {"Content-Type": "application/x-www-form-urlencoded"}


def _json_of(json):
    try:
        return json_module.dumps(json, allow_nan=False).encode("utf-8")
    except ValueError as error:
        raise InvalidJSONError(error) from None


__all__ = [
    "HttpSession",
    "MockRequest",
    "ResponseContextManager",
    "RestResponseContextManager",
    "urlencode",
]
