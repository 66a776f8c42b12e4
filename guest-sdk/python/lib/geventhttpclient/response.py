"""Exceptions of an answer that is none."""


class HTTPParseError(Exception):
    """An answer cannot be read."""


class HTTPConnectionClosed(HTTPParseError):
    """The server closed the connection before it answered."""


class HTTPProtocolViolationError(HTTPParseError):
    """As HTTPParseError."""
