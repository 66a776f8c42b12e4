"""Connections are the host's matter."""


class HTTPClientPool:
    """Exists for those who give their users a pool: each user has connections of its own here."""

    def __init__(self, **kwargs):
        pass


class HTTPClient:
    def __init__(self, *_args, **_kwargs):
        raise NotImplementedError("send requests with self.client")
