"""What the operating system does elsewhere and cannot do here, told in words."""

import builtins
import logging
import os
import signal
import socket
import subprocess
import sys

import _swarm

# What requests and urllib3 catch is an OSError.
_SOCKETS = (
    "sockets are not available in swarm: send HTTP requests with self.client, or with the "
    "requests package"
)
_PROCESSES = "processes cannot be started in swarm: what runs here is a script without a machine"


def _refuse_process(*_args, **_kwargs):
    raise OSError(_PROCESSES)


def _refuse_socket(*_args, **_kwargs):
    raise OSError(_SOCKETS)


class _Socket(socket.socket):
    def __init__(self, *_args, **_kwargs):
        _refuse_socket()

    def __del__(self):
        pass

    def __repr__(self):
        return "<socket>"


def _exit(code=None):
    raise SystemExit(code)


def _ignore_signal(number, handler):
    """Signals reach the program, not the script: a handler is never called."""
    return signal.SIG_DFL


def install():
    subprocess.Popen.__init__ = _refuse_process
    subprocess.Popen.__del__ = lambda self: None
    for name in (
        "system",
        "popen",
        "fork",
        "forkpty",
        "execv",
        "execve",
        "posix_spawn",
        "kill",
        "spawnl",
        "spawnv",
        "waitpid",
    ):
        setattr(os, name, _refuse_process)
    # Whoever finds `fork` asks for this too.
    os.register_at_fork = lambda **_: None
    os._exit = os.abort = _exit
    # The module `site` makes these elsewhere, and scripts end with them.
    builtins.exit = builtins.quit = _exit
    os.getpid = lambda: 1
    os.getppid = lambda: 0
    os.cpu_count = lambda: 1
    socket.socket = socket.SocketType = _Socket
    socket.create_connection = socket.getaddrinfo = socket.gethostbyname = _refuse_socket
    socket.gethostname = lambda: "swarm"
    socket.getfqdn = lambda name="": name or "swarm"
    socket.setdefaulttimeout(None)
    signal.signal = _ignore_signal
    signal.alarm = lambda seconds: 0


class _Environ(type(os.environ)):
    """The environment, which has what the test passes on: a read of anything else is told."""

    def __getitem__(self, name):
        try:
            return super().__getitem__(name)
        except KeyError:
            _missed(name)
            raise


# Names of the environment that have been missed, and whether the script is still being imported.
_missing = set()
importing = True


def _missed(name):
    """Tells that the script reads a variable that is not there, once for each name."""
    if name in _missing or not isinstance(name, str) or not _is_authors(sys._getframe(2)):
        return
    _missing.add(name)
    # Another instance, which was only asked what the script consists of, has told it already.
    if not (importing and _swarm.begun()):
        logging.getLogger("locust").warning("%s", not_passed_on(name))


def _is_authors(frame):
    """Does a file of the author's read the environment, and not a package?"""
    while frame is not None:
        file = frame.f_code.co_filename
        if file != os.getenv.__code__.co_filename and not file.startswith("<frozen"):
            return file.startswith("/app/") and not file.startswith("/app/site-packages/")
        frame = frame.f_back
    return False


def not_passed_on(name):
    return (
        f"the script reads {name} of the environment, which is not passed on: -e {name} (or "
        f"-e {name}=VALUE)"
    )


def advice(error):
    """What to do about an error that ended an import, if it was for a missing variable."""
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    return not_passed_on(name) if isinstance(name, str) and name in _missing else None


def begin():
    """Takes the environment of the run."""
    os.environ.clear()
    for line in _swarm.environ():
        name, _, value = line.partition("=")
        os.environ[name] = value
    os.environ.__class__ = _Environ
    sys.path_importer_cache.clear()
