"""The names of geventhttpclient that FastHttpUser's exceptions and headers have."""

from .client import HTTPClient, HTTPClientPool
from .url import URL

__version__ = "2.6.1"

__all__ = ["HTTPClient", "HTTPClientPool", "URL"]
