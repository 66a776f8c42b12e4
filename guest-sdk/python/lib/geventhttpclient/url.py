"""URLs as geventhttpclient sends them."""

from urllib import parse

from requests.utils import requote_uri

DEFAULT_PORTS = {"http": 80, "https": 443}


class URL:
    __slots__ = ("_parsed",)

    def __init__(self, url="", params=None):
        parsed = parse.urlparse(url) if isinstance(url, str) else url
        if params is not None:
            added = encode_params(params)
            query = f"{parsed.query}&{added}" if parsed.query else added
            parsed = parsed._replace(query=query)
        self._parsed = parsed

    def __str__(self):
        return self._parsed.geturl()

    def __repr__(self):
        return f"URL({self})"

    def __getattr__(self, name):
        return getattr(self._parsed, name)

    @property
    def host(self):
        return self._parsed.hostname or ""

    @property
    def port(self):
        return self._parsed.port or DEFAULT_PORTS.get(self._parsed.scheme)

    @property
    def request_uri(self):
        path = self._parsed.path
        if self._parsed.params:
            path += ";" + self._parsed.params
        return f"{path}?{self._parsed.query}" if self._parsed.query else path

    @property
    def quoted_uri(self):
        return requote_uri(self.request_uri)

    def redirect(self, location):
        """The URL that a location leads to from here."""
        return URL(parse.urljoin(str(self), location))


def encode_params(params):
    if isinstance(params, (str, bytes)) or not hasattr(params, "__iter__"):
        return params
    pairs = []
    for name, values in params.items() if hasattr(params, "items") else params:
        if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
            values = [values]
        pairs += [(name, value) for value in values if value is not None]
    return parse.urlencode(pairs, doseq=True)
