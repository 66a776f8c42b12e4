"""Exceptions as their author reads them: without the frames that are not the author's."""

import re
import traceback

# Our own packages, as they were when the snapshot was made, and the import machinery.
_NOT_THE_AUTHORS = ("/swarm/", "<frozen ")

_OUR_PLACES = re.compile(r" \(/swarm/[^)\n]*\)")

# Longest trace that is kept, in characters.
TRACE_MAX = 8000


def _formatted(error):
    formatted = traceback.TracebackException.from_exception(error, compact=True)
    seen = formatted
    chain = [formatted]
    while chain:
        seen = chain.pop()
        own = [frame for frame in seen.stack if not frame.filename.startswith(_NOT_THE_AUTHORS)]
        seen.stack = traceback.StackSummary.from_list(own)
        chain.extend(link for link in (seen.__cause__, seen.__context__) if link is not None)
        chain.extend(seen.exceptions or ())
    # An ImportError says where it has looked, which is no place of the author's.
    return _OUR_PLACES.sub("", "".join(formatted.format()))


def text(error):
    """The whole text of an exception, with the lines that led to it."""
    try:
        return _formatted(error).rstrip("\n")
    except Exception:
        # An exception whose own text cannot be made, or a stack that is too deep for it.
        return f"{type(error).__name__} (its text cannot be made)"


def lines(error):
    """As `text`, at most so much of it as is kept: the end says more than the middle."""
    whole = text(error)
    if len(whole) <= TRACE_MAX:
        return whole
    return f"{whole[: TRACE_MAX // 4]}\n  ...\n{whole[-TRACE_MAX // 2 :]}"


def message(error):
    """Type and text, one line."""
    try:
        said = str(error)
    except Exception:
        said = "(its text cannot be made)"
    name = type(error).__name__
    return f"{name}: {said}" if said else name
