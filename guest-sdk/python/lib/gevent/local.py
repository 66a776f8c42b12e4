"""Attributes that each user and each greenlet has for itself."""

from threading import local

__all__ = ["local"]
