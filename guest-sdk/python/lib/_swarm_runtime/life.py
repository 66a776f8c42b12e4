"""The life of users, and of the test as far as this instance is concerned.

Each function here is called by the host, any number of them at a time: whatever waits lets others
go on.
"""

import logging
import sys

import _swarm

from . import output, plan, script, switch, trace

logger = logging.getLogger("locust.runners")

# The instance's environment, once the script is loaded.
environment = None

_loading = None
# `init` and `test_start` have been told.
_begun = False
_beginning = None

# Tasks that a user runs in one call of the host's while it does not rest. More of them cost less,
# as a call has its price; but its neighbours get their turn only when it waits.
BURST = 20


def load():
    """Imports the script and makes the environment. Whoever comes meanwhile waits."""
    global environment, _loading
    if environment is not None:
        return
    if _loading is not None:
        _loading.wait()
        return load()
    _loading = switch.Queue()
    try:
        user_classes, shape_classes = script.load()
        from locust.env import load_environment

        try:
            environment = load_environment(user_classes, shape_classes)
        except Exception as error:
            raise script.ScriptError(script.explained(error)) from None
    finally:
        loading, _loading = _loading, None
        loading.all()


def describe():
    return plan.describe(environment.user_classes)


def _begin():
    """Tells listeners of the test's beginning, before the first user. Others wait."""
    global _begun, _beginning
    while not _begun:
        if _beginning is not None:
            _beginning.wait()
            continue
        _beginning = switch.Queue()
        try:
            environment.runner.begin()
            _begun = True
        finally:
            beginning, _beginning = _beginning, None
            beginning.all()


def start(seat, index):
    """A user begins: it is made, and its `on_start` runs. What goes wrong there ends it."""
    _begin()
    cls = environment.user_classes[index]
    environment.runner.spawned()
    user = None
    try:
        user = cls(environment)
        seat.who = user
        environment.runner.came(user)
        user._begin()
    except SystemExit as error:
        exit_test(error)
    except BaseException as error:
        _ended_at_start(cls, user, error)


def _ended_at_start(cls, user, error):
    from locust.exception import StopTest

    if user is None:
        # Locust ends the test for that: there can be no user.
        if isinstance(error, StopTest):
            logger.error("%s", error)
            environment.runner.quit()
            return
        report(cls.__name__, "__init__", error)
        logger.error("Unhandled exception when a %s was made\n%s", cls.__name__, trace.text(error))


def run(seat):
    """Runs tasks until the user rests; how long that is in seconds, or less than 0 for ever."""
    user = seat.who
    if user is None or not user._alive:
        return -1.0
    if user._interrupted:
        return 0.0
    try:
        for _ in range(BURST):
            rest = user._advance()
            if rest:
                return rest
            if user._stopping_soon:
                # The host lets it say goodbye.
                return 0.0
        return 0.0
    except SystemExit as error:
        exit_test(error)
        return 0.0
    except switch.GreenletExit:
        # Its time is over, and the host ends it; or it has been killed by somebody here.
        user._interrupted = True
        return 0.0 if _swarm.pause(0, 0.0) == 2 else user._finish()


def stop(seat):
    """A user ends."""
    user = seat.who
    if user is None:
        return
    try:
        user._end()
    except SystemExit as error:
        exit_test(error)
    except BaseException as error:
        logger.error("Unhandled exception in on_stop\n%s", trace.text(error))
        report(type(user).__name__, "on_stop", error)
    finally:
        environment.runner.gone(user)
        seat.who = None


def end():
    """The last user is gone."""
    global _begun
    if _begun:
        _begun = False
        environment.runner.end()
    output.end()


def report(where, what, error):
    """Counts an exception under its place."""
    _swarm.exception(f"{where}.{what}: {trace.message(error)}", trace.lines(error))


def exit_test(error):
    """`sys.exit` in a task or a listener ends the test, as it ends Locust's process."""
    code = error.code
    logger.info("sys.exit(%s) called", "" if code is None else code)
    if environment.process_exit_code is None:
        environment.process_exit_code = code if isinstance(code, int) else int(code is not None)
    environment.runner.quit()


def unraisable(unraisable):
    """An exception that nobody could catch, as in `__del__`."""
    logger.error("Exception ignored in %r\n%s", unraisable.object, trace.text(unraisable.exc_value))


def install():
    sys.unraisablehook = unraisable

    def load_for_host():
        load()

    def trace_for_host(error):
        return str(error) if isinstance(error, script.ScriptError) else trace.text(error)

    _swarm.connect(
        load_for_host, describe, start, run, stop, end, switch.run_branch, trace_for_host
    )
