"""What scripts look for in Locust's entry point."""

from . import __version__ as version


def main():
    raise NotImplementedError("the program that runs this script is swarm")


__all__ = ["main", "version"]
