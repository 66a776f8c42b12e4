"""What a session keeps between requests: headers and cookies."""

import _swarm
from _swarm_runtime import http
from requests.cookies import RequestsCookieJar, get_cookie_header
from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from requests.utils import default_headers


class Headers(CaseInsensitiveDict):
    """A session's headers. `lines` are what the host was told of them, until they change."""

    def __init__(self, *args, **kwargs):
        self.lines = None
        super().__init__(*args, **kwargs)

    def __setitem__(self, key, value):
        self.lines = None
        super().__setitem__(key, value)

    def __delitem__(self, key):
        self.lines = None
        super().__delitem__(key)


class Jar(RequestsCookieJar):
    """A session's cookies, and the headers that were made of them, until they change."""

    def __init__(self, policy=None):
        self.made = {}
        super().__init__(policy)

    def set_cookie(self, cookie, *args, **kwargs):
        self.made.clear()
        return super().set_cookie(cookie, *args, **kwargs)

    def clear(self, domain=None, path=None, name=None):
        self.made.clear()
        super().clear(domain, path, name)

    def header(self, url):
        """The value of the cookie header for a URL, or None."""
        if url not in self.made:
            if len(self.made) >= 64 or any(cookie.expires is not None for cookie in self):
                self.made.clear()
            request = PreparedRequest()
            request.url, request.headers = url, CaseInsensitiveDict()
            self.made[url] = get_cookie_header(self, request)
        return self.made[url]


_default_lines = None


def lines_of_default():
    """The header lines of sessions that have none of their own: the same for all users."""
    global _default_lines
    if _default_lines is None:
        _default_lines = _swarm.lines(http.lines_of(default_headers()))
    return _default_lines
