"""What the clients of HttpUser and FastHttpUser have in common."""

import re
from contextlib import contextmanager
from urllib.parse import unquote, urlparse, urlunparse

import _swarm
from _swarm_runtime import http

absolute_http_url_regexp = re.compile(r"^https?://", re.IGNORECASE)


def without_login(base_url):
    """A URL without the login in it, and that as a user and a password, or None."""
    parsed = urlparse(base_url)
    if not (parsed.username and parsed.password):
        return base_url, None
    netloc = parsed.netloc.rpartition("@")[2]
    login = unquote(parsed.username), unquote(parsed.password)
    return urlunparse(parsed._replace(netloc=netloc)), login


class Session:
    """A client with a base URL, whose requests go by the host's client of a user."""

    request_name = None
    # What the host's client of this session is, once it is known.
    _client = None

    def _host_client(self):
        """The user's client, or one of this session's own."""
        if self._client is None:
            here = _swarm.seat()
            who = here.who if here is not None else None
            # A user that is being made is not seated yet.
            is_users = self.user is not None and (who is None or who is self.user)
            client = getattr(here, "client", None) if is_users else None
            self._client = client or _swarm.open()
            if self._client is None:
                raise http.no_client()
        return self._client

    @contextmanager
    def rename_request(self, name):
        """Requests in the block go by this name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def _build_url(self, path):
        return path if absolute_http_url_regexp.match(path) else f"{self.base_url}{path}"
