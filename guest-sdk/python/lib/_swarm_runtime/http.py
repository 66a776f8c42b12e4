"""requests' transport: an adapter that sends by the host's client.

requests itself is the library of that name, so what it does to URLs, bodies, cookies and redirects
is what it does everywhere. Its adapter is the last step, where urllib3 would open a socket.
"""

import http.client
import re
import time

import _swarm
import requests
import requests.adapters
import requests.cookies
import requests.sessions
import requests.utils
import urllib3.exceptions
from requests.structures import CaseInsensitiveDict

from . import switch

# Cases of `failure-kind` in the contract.
TIMEOUT, CONNECT, DNS, TLS, PROTOCOL, TOO_LARGE, DENIED, OTHER, STOPPED = range(9)

# Of `manner`.
INSECURE, SAYS_LENGTH = 1, 2

# Headers that the host's client writes by itself.
_NOT_OURS = ("content-length", "transfer-encoding")

# Before the reason why there is no connection.
_WHERE = re.compile(r"^cannot connect to \S+: ")

_SECONDS = re.compile(r"timed out after ([0-9.]+) (m?s)")


class Head:
    """The headers of an answer as http.cookiejar wants them."""

    def __init__(self, pairs):
        self._pairs = pairs

    def get_all(self, name, default=None):
        found = [value for key, value in self._pairs if key.lower() == name.lower()]
        return found or default


class Raw:
    """What `Response.raw` has of urllib3's response."""

    version, version_string, decode_content = 11, "HTTP/1.1", True

    def __init__(self, answer, pairs):
        self._answer, self._body, self._at = answer, None, 0
        self.status, self.reason = answer.status, answer.reason()
        self.headers = urllib3.HTTPHeaderDict(pairs)
        self._original_response = self
        self.msg = Head(pairs)

    @property
    def data(self):
        if self._body is None:
            self._body = self._answer.body()
        return self._body

    def read(self, size=None, decode_content=None, **_):
        end = len(self.data) if size is None or size < 0 else self._at + size
        part, self._at = self.data[self._at : end], min(end, len(self.data))
        return part

    def stream(self, size=1024, decode_content=None):
        while part := self.read(size):
            yield part

    def isclosed(self):
        return True

    def close(self):
        pass

    release_conn = drain_conn = close


def pairs_of(lines):
    """Names and values of header lines, decoded as http.client does."""
    pairs = []
    for line in lines.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            pairs.append((name, value.strip(" \t")))
    return pairs


def joined(pairs):
    """The same as requests has it: lines of one name are one value."""
    headers = CaseInsensitiveDict()
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def lines_of(headers):
    """Header lines for the host, without those that it writes by itself."""
    lines = []
    for name, value in headers.items():
        if value is None or name.lower() in _NOT_OURS:
            continue
        name = name.decode("latin-1") if isinstance(name, bytes) else name
        value = value if isinstance(value, bytes) else str(value).encode("latin-1")
        lines.append(name.encode("latin-1") + b": " + value + b"\r\n")
    return b"".join(lines)


_no_lines = None


def no_lines():
    """The empty block of common header lines."""
    global _no_lines
    if _no_lines is None:
        _no_lines = _swarm.lines(b"")
    return _no_lines


def milliseconds(timeout):
    """requests' timeout for the host: 0 is that of the test. Of a pair (connect, read) it is the
    second one, as connecting is bounded by the host."""
    if isinstance(timeout, tuple):
        if len(timeout) != 2:
            raise ValueError(
                f"Invalid timeout {timeout}. Pass a (connect, read) timeout tuple, or a single "
                "float to set both timeouts to the same value."
            )
        timeout = timeout[1] if timeout[1] is not None else timeout[0]
    timeout = getattr(timeout, "read_timeout", timeout)
    if timeout is None:
        return 0
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
        raise ValueError(
            f"Timeout value connect was {timeout}, but it must be an int, float or None."
        )
    if timeout <= 0:
        raise ValueError(
            f"Attempted to set connect timeout to {timeout}, but the timeout cannot be set to a "
            "value less than or equal to 0."
        )
    return min(max(1, round(timeout * 1000)), 0x7FFFFFFF)


def fetch(client, method, url, name, common, further, body, timeout, manner):
    """As `_swarm.fetch`, within the time limits that the caller is inside of."""
    limits = switch.limits.get()
    if not limits:
        return _swarm.fetch(client, method, url, name, common, further, body, timeout, manner)
    deadline, exception = min(limits, key=lambda limit: limit[0])
    left = round((deadline - time.monotonic()) * 1000)
    if left <= 0:
        raise exception
    limited = not timeout or left < timeout
    answer = _swarm.fetch(
        client, method, url, name, common, further, body, left if limited else timeout, manner
    )
    if limited and type(answer) is tuple and answer[0] == TIMEOUT:
        raise exception
    return answer


class NoTest(requests.exceptions.ConnectionError):
    """A request before there is a test."""


def no_client():
    return NoTest(
        "there is no test yet: while a scenario is only asked what it consists of, it "
        "cannot send requests; send them in `on_start`, or in a listener of `test_start`"
    )


def _chained(error, *causes):
    """`error`, as if each cause had been met while the one before was handled."""
    above = error
    for cause in causes:
        above.__context__ = cause
        above = cause
    return error


class _Named:
    """Stands for urllib3's pool or connection in the text of an exception."""

    def __init__(self, name, url):
        parts = urllib3.util.parse_url(url)
        secure = parts.scheme == "https"
        self.host, port = parts.host, parts.port or (443 if secure else 80)
        name = name.replace("HTTP", "HTTPS") if secure else name
        self._text = f"{name}(host={self.host!r}, port={port})"

    def __str__(self):
        return self._text

    __repr__ = __str__


def _timed_out(message, url, request):
    found = _SECONDS.search(message)
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0
    seconds = int(seconds) if seconds == int(seconds) else seconds
    if "connect timeout" in message:
        connection = _Named("HTTPConnection", url)
        inner = urllib3.exceptions.ConnectTimeoutError(
            connection, f"Connection to {connection.host} timed out. (connect timeout={seconds})"
        )
        return _chained(requests.exceptions.ConnectTimeout(inner, request=request), inner)
    inner = urllib3.exceptions.ReadTimeoutError(
        _Named("HTTPConnectionPool", url), url, f"Read timed out. (read timeout={seconds})"
    )
    return requests.exceptions.ReadTimeout(inner, request=request)


def _not_connected(message, request):
    message = _WHERE.sub("", message)
    if message.startswith("connection refused"):
        inner = ConnectionRefusedError(111, "Connection refused")
    elif message.startswith("connection reset before the response began") or (
        message.startswith("connection reset by peer")
    ):
        inner = ConnectionResetError(104, "Connection reset by peer")
    elif message.startswith("connection closed before the response began"):
        inner = http.client.RemoteDisconnected("Remote end closed connection without response")
    elif "before the response was complete" in message:
        cause = (
            ConnectionResetError(104, "Connection reset by peer")
            if "reset" in message
            else http.client.IncompleteRead(b"")
        )
        broken = urllib3.exceptions.ProtocolError(f"Connection broken: {cause!r}", cause)
        return _chained(requests.exceptions.ChunkedEncodingError(broken, request=request), broken)
    elif message.startswith("network unreachable"):
        inner = OSError(101, "Network is unreachable")
    elif message.startswith("host unreachable"):
        inner = OSError(113, "No route to host")
    else:
        inner = OSError(message)
    return _chained(requests.exceptions.ConnectionError(inner, request=request), inner)


class SSLError(OSError):
    """Stands for that of the module `ssl`, which is not there."""


class _GaiError(OSError):
    """Stands for that of `socket`, which has other numbers here."""


_GaiError.__name__ = "gaierror"


def exception_of(kind, message, url, request):
    """What requests would raise for a failure of the host's client."""
    if kind == STOPPED:
        return switch.GreenletExit()
    if kind == TIMEOUT:
        return _timed_out(message, url, request)
    if kind == CONNECT:
        return _not_connected(message, request)
    if kind == DNS:
        inner = _GaiError(-2, "Name or service not known")
    elif kind == TLS:
        inner = urllib3.exceptions.SSLError(SSLError(1, f"[SSL] {message}"))
        return _chained(requests.exceptions.SSLError(inner, request=request), inner)
    elif kind == PROTOCOL and message.startswith("body that cannot be decoded"):
        encoding = message.partition("content-encoding: ")[2].rstrip(")")
        inner = urllib3.exceptions.DecodeError(
            f"Received response with content-encoding: {encoding}, but failed to decode it."
        )
        return _chained(requests.exceptions.ContentDecodingError(inner, request=request), inner)
    elif kind == PROTOCOL and "chunk" in message:
        inner = urllib3.exceptions.ProtocolError(f"Connection broken: {message}")
        return _chained(requests.exceptions.ChunkedEncodingError(inner, request=request), inner)
    elif kind == PROTOCOL:
        inner = http.client.BadStatusLine(message)
    elif kind == DENIED:
        inner = PermissionError(13, message)
    else:
        inner = OSError(message)
    return _chained(requests.exceptions.ConnectionError(inner, request=request), inner)


class HostAdapter(requests.adapters.HTTPAdapter):
    """Sends by the host's client: by that of a user, or by one of its own."""

    def __init__(self, *args, client=None, **kwargs):
        super().__init__(*args, **kwargs)
        self._client = client

    def client(self):
        if self._client is None:
            self._client = _swarm.open() if switch.testing else None
            if self._client is None:
                raise no_client()
        return self._client

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
        if cert:
            raise requests.exceptions.InvalidSchema(
                "client certificates (cert=) are not available yet"
            )
        if requests.utils.select_proxy(request.url, proxies):
            raise requests.exceptions.InvalidProxyURL("proxies are not available")
        body = body_of(request.body)
        manner = 0 if verify else INSECURE
        if request.headers.get("Content-Length") == "0":
            manner |= SAYS_LENGTH
        try:
            further = lines_of(request.headers)
            answer = fetch(
                self.client(),
                request.method,
                request.url,
                None,
                no_lines(),
                further,
                body,
                milliseconds(timeout),
                manner,
            )
        except UnicodeEncodeError as error:
            raise requests.exceptions.InvalidHeader(str(error), request=request) from None
        if type(answer) is tuple:
            raise exception_of(answer[0], answer[1], request.url, request)
        return self.build_response(request, Raw(answer, pairs_of(answer.lines())))

    def build_response(self, request, raw):
        response = super().build_response(request, raw)
        response.headers = joined([(name, value) for name, value in raw.headers.iteritems()])
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        return response


def body_of(body):
    """The bytes of a prepared body, whatever it comes from."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8")
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read"):
        part = body.read()
        return part.encode("utf-8") if isinstance(part, str) else bytes(part)
    parts = (part.encode("utf-8") if isinstance(part, str) else bytes(part) for part in body)
    return b"".join(parts)


def install():
    requests.adapters.HTTPAdapter = requests.sessions.HTTPAdapter = HostAdapter
    # Accept-Encoding is made of what urllib3 can decode; the host decodes these.
    requests.utils.DEFAULT_ACCEPT_ENCODING = "gzip, deflate, br"
