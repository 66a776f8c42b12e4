"""Logging is set up by the host; what scripts may call of Locust's is here."""

import logging
import socket

HOSTNAME = socket.gethostname()

# A listener or a greenlet has raised what nobody caught.
unhandled_greenlet_exception = False


class LogReader(logging.Handler):
    """Exists for those who name it."""

    def emit(self, record):
        pass


def setup_logging(loglevel, logfile=None):
    """Sets the level. Where lines go is the host's matter."""
    logging.getLogger().setLevel(str(loglevel).upper())


def get_logs():
    return []


def greenlet_exception_logger(logger, level=logging.CRITICAL):
    """A function for `Greenlet.link_exception` that logs what ended the greenlet."""

    def handler(greenlet):
        global unhandled_greenlet_exception
        logger.log(
            level, "Unhandled exception in greenlet: %s", greenlet, exc_info=greenlet.exc_info
        )
        unhandled_greenlet_exception = True

    return handler
