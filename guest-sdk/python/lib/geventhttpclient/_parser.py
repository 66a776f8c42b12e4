from .response import HTTPParseError

__all__ = ["HTTPParseError"]
