"""Standard output, standard error and `logging` go to the host's log, a line each."""

import io
import logging
import sys

import _swarm

DEBUG, INFO, WARN, ERROR = range(4)

# Longest line that the host takes; what is longer is cut off there.
LINE_MAX = 8192


class Stream(io.TextIOBase):
    """A text stream whose lines are logged."""

    encoding, errors, newlines = "utf-8", "backslashreplace", None

    def __init__(self, name, level):
        self.name, self._level, self._rest = name, level, ""
        self.buffer = _Bytes(self)

    def writable(self):
        return True

    def isatty(self):
        return False

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        begin = 0
        while (end := text.find("\n", begin)) >= 0:
            line = text[begin : min(end, begin + LINE_MAX)]
            if self._rest:
                line, self._rest = self._rest + line, ""
            if line:
                _swarm.log(self._level, line)
            begin = end + 1
        room = LINE_MAX - len(self._rest)
        if room > 0:
            self._rest += text[begin : begin + room]
        return len(text)

    def flush(self):
        pass

    def end(self):
        """Logs what has no end of its line."""
        rest, self._rest = self._rest, ""
        if rest:
            _swarm.log(self._level, rest)


class _Bytes(io.RawIOBase):
    def __init__(self, stream):
        self._stream = stream

    def writable(self):
        return True

    def write(self, data):
        self._stream.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)


class Handler(logging.Handler):
    """Hands log records over with their level. The host adds the time."""

    def emit(self, record):
        try:
            text = self.format(record)
            level = record.levelno
            _swarm.log(
                DEBUG
                if level < logging.INFO
                else INFO
                if level < logging.WARNING
                else WARN
                if level < logging.ERROR
                else ERROR,
                text[:LINE_MAX],
            )
        except Exception:
            self.handleError(record)


class Formatter(logging.Formatter):
    """`NAME: MESSAGE`; of the root logger the message alone."""

    def formatMessage(self, record):
        return record.message if record.name == "root" else f"{record.name}: {record.message}"


def install():
    sys.stdout = sys.__stdout__ = Stream("<stdout>", INFO)
    sys.stderr = sys.__stderr__ = Stream("<stderr>", WARN)
    handler = Handler()
    handler.setFormatter(Formatter())
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)
    logging.lastResort = handler


def end():
    """Logs what is left in the streams."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Stream):
            stream.end()
