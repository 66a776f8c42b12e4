"""Loads the author's file, once in each instance."""

import importlib.machinery
import importlib.util
import inspect
import os
import sys

import _swarm

from . import packages, rand, switch, system, trace

# Where the script's folder is, and where packages beside it may be.
FOLDER = "/app"
PACKAGES = "/app/site-packages"

# Holds the name of the file in the folder.
NAME_FILE = "/run/script"


class ScriptError(Exception):
    """The script cannot be used. Its text is for the author, and complete."""


def load():
    """Imports the file, and returns its user classes by name and its shape classes.

    Raises ScriptError with what the author has to know.
    """
    switch.testing = _swarm.begun()
    system.begin()
    rand.begin(int.from_bytes(os.urandom(8)))
    try:
        with open(NAME_FILE, encoding="utf-8") as file:
            path = os.path.join(FOLDER, file.read())
        os.chdir(FOLDER)
    except OSError:
        raise ScriptError(
            "this is the runtime without a script: give swarm the .py file or its folder"
        ) from None
    _paths(path)
    module = _import(path)
    system.importing = False
    return _classes(module)


def _paths(path):
    """As Locust has it: the working directory, which is the folder of the file."""
    sys.path.insert(0, FOLDER)
    if os.path.isdir(PACKAGES):
        sys.path.append(PACKAGES)
    sys.argv = [path]


def _import(path):
    name = os.path.splitext(os.path.basename(path))[0]
    # Not the name of a package that it may want to import.
    name = "locustfile" if name in ("locust", "requests", "gevent") else name
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    module.__file__ = path
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except SystemExit as error:
        raise ScriptError(
            f"the script called sys.exit({error.code!r}) while it was imported\n{trace.text(error)}"
        ) from None
    except Exception as error:
        raise ScriptError(explained(error)) from None
    return module


def explained(error):
    """The exception that ended an import, and what can be done about it."""
    said = trace.text(error)
    advice = packages.advice(error) or system.advice(error)
    return f"{said}\n{advice}" if advice else said


def _classes(module):
    from locust import LoadTestShape, User

    users, shapes = {}, []
    for name, value in vars(module).items():
        if not inspect.isclass(value):
            continue
        if issubclass(value, User) and value.abstract is False:
            users[name] = value
        if issubclass(value, LoadTestShape) and not getattr(value, "abstract", True):
            shapes.append(value)
    return users, shapes
