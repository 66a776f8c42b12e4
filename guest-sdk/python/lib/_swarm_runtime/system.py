"""What the operating system does elsewhere and cannot do here, told in words."""

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


def _exit(code=0):
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


def begin():
    """Takes the environment of the run."""
    os.environ.clear()
    for line in _swarm.environ():
        name, _, value = line.partition("=")
        os.environ[name] = value
    sys.path_importer_cache.clear()
