"""Requests and exceptions as geventhttpclient's agent has them."""

import binascii
import os
from urllib.request import Request

from .header import Headers
from .response import HTTPParseError
from .url import URL

DEFAULT_USER_AGENT = "python/gevent-http-client-2.6.1"


class ConnectionError(Exception):
    """A request has failed at a URL."""

    def __init__(self, url, *args, **kw):
        super().__init__(url, *args)
        self.url = url
        self.__dict__.update(kw)
        if args and isinstance(args[0], str):
            self.text = args[0] if len(args) == 1 else f"{args[0]}: {args[1:]}"
        else:
            self.text = str(args[0]) if len(args) == 1 else ""
        self.kw_text = ", ".join(f"{key}={value}" for key, value in kw.items())
        if kw:
            self.text += (", " if self.text else "") + self.kw_text

    def __str__(self):
        return f"URL {self.url}: {self.text}" if self.text else f"URL {self.url}"

    def __repr__(self):
        text = super().__repr__()
        return text.replace(")", f", {self.kw_text})") if self.kw_text else text


class RetriesExceeded(ConnectionError):
    pass


class BadStatusCode(ConnectionError):
    code = 0


class EmptyResponse(ConnectionError):
    pass


class UnsupportedRedirectSchemeError(ConnectionError):
    pass


class CompatRequest(Request):
    """A request as http.cookiejar wants it."""

    def __init__(self, url, method="GET", headers=None, payload=None, params=None):
        self._set_url(url, params)
        self.original_host = self.origin_req_host = self.url_split.host
        self._origin = (self.url_split.scheme, self.url_split.host, self.url_split.port)
        self.method = method.upper()
        self.headers = headers if headers is not None else Headers()
        self.unredirected_hdrs, self.unverifiable, self.payload = {}, False, payload

    def _set_url(self, url, params=None):
        self.url_split = URL(url, params=params)
        self.url = str(self.url_split) if params is not None else str(url)
        self.type, self.host = "https", self.url_split.netloc
        self.selector = self.url_split.request_uri or "/"

    @property
    def full_url(self):
        return self.url

    @property
    def data(self):
        return self.payload

    def get_host(self):
        return self.url_split.host

    def get_method(self):
        return self.method

    def get_origin_req_host(self):
        return self.original_host

    def is_unverifiable(self):
        return self.unverifiable

    def has_header(self, name):
        return name in self.headers

    def get_header(self, name, default=None):
        return self.headers.get(name, default)

    def add_unredirected_header(self, key, value):
        self.headers[key] = value

    def header_items(self):
        return list(self.headers.items())

    def redirect(self, code, location):
        """Makes of it the request that follows a redirect."""
        url = self.url_split.redirect(location)
        if url.scheme not in ("http", "https"):
            raise UnsupportedRedirectSchemeError(
                self.url, f"refusing to follow redirect to {url.scheme!r} URL"
            )
        self._set_url(str(url))
        if code in (301, 302, 303):
            if self.method != "HEAD":
                self.method = "GET"
            self.payload = None
            for name in ("content-length", "content-type", "content-encoding"):
                self.headers.discard(name)
        elif hasattr(self.payload, "seek"):
            self.payload.seek(0)
        for name in ("cookie", "cookie2"):
            self.headers.discard(name)
        if (url.scheme, url.host, url.port) != self._origin:
            self.headers.discard("authorization")
        self.unverifiable = True


CompatResponse = object
UserAgent = object


def encode_multipart_formdata(files, data):
    """Body and content type of files and fields."""
    if isinstance(data, (str, bytes)):
        raise ValueError("Data must not be a string.")
    pairs = files.items() if hasattr(files, "items") else files
    boundary = binascii.hexlify(os.urandom(16)).decode()
    parts = []
    for name, values in data.items() if hasattr(data, "items") else data or ():
        if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
            values = [values]
        for value in values:
            if value is not None:
                parts.append(_part(boundary, name, value))
    for name, value in pairs:
        filename, content, content_type, headers = _file(name, value)
        parts.append(_part(boundary, name, content, filename, content_type, headers))
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _file(name, value):
    content_type = headers = None
    if isinstance(value, (tuple, list)):
        filename, content, *rest = value
        content_type = rest[0] if rest else None
        headers = rest[1] if len(rest) > 1 else None
    else:
        content = value
        given = getattr(value, "name", None)
        filename = os.path.basename(given) if isinstance(given, str) else name
    if hasattr(content, "read"):
        content = content.read()
    return filename, content, content_type, headers


def _part(boundary, name, content, filename=None, content_type=None, headers=None):
    def quoted(text):
        return str(text).replace('"', "%22")

    disposition = f'Content-Disposition: form-data; name="{quoted(name)}"'
    if filename is not None:
        disposition += f'; filename="{quoted(filename)}"'
    lines = [disposition]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
    content = content if isinstance(content, (bytes, bytearray)) else str(content).encode()
    head = "\r\n".join(lines).encode()
    return b"".join((b"--", boundary.encode(), b"\r\n", head, b"\r\n\r\n", bytes(content), b"\r\n"))


__all__ = [
    "BadStatusCode",
    "CompatRequest",
    "ConnectionError",
    "EmptyResponse",
    "HTTPParseError",
    "RetriesExceeded",
    "UserAgent",
    "encode_multipart_formdata",
]
