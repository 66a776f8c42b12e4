"""Arguments of the script's own: `@events.init_command_line_parser.add_listener`.

Their values are those of `--arg NAME=VALUE`, or of environment variables (LOCUST_NAME, or what
`env_var` says), or the defaults.
"""

import argparse
import os
import sys

import _swarm


class ArgumentError(Exception):
    """A value does not fit its argument."""


class LocustArgumentParser(argparse.ArgumentParser):
    """An argument parser that knows what is only for a command line, or a form."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("add_help", False)
        kwargs.setdefault("prog", "swarm run")
        super().__init__(*args, **kwargs)
        self.variables, self.secret = {}, set()

    def add_argument(self, *args, **kwargs):
        return _add(super().add_argument, self, args, kwargs)

    def add_argument_group(self, *args, **kwargs):
        group = super().add_argument_group(*args, **kwargs)
        add = group.add_argument
        group.add_argument = lambda *args, **kwargs: _add(add, self, args, kwargs)
        return group

    def error(self, message):
        raise ArgumentError(message)


def _add(add, parser, args, kwargs):
    variable = kwargs.pop("env_var", None)
    secret = kwargs.pop("is_secret", False)
    for name in ("include_in_web_ui", "is_multiple", "is_required"):
        kwargs.pop(name, None)
    kwargs.pop("required", None)
    action = add(*args, **kwargs)
    parser.variables[action.dest] = variable or f"LOCUST_{action.dest.upper()}"
    if secret:
        parser.secret.add(action.dest)
    return action


def parse_options(events):
    """What `environment.parsed_options` is."""
    parser = LocustArgumentParser()
    events.init_command_line_parser.fire(parser=parser)
    pairs = iter(_swarm.args())
    given = {name.replace("-", "_"): value for name, value in zip(pairs, pairs)}
    words = []
    for action in parser._actions:
        if not action.option_strings:
            continue
        value = given.get(action.dest)
        if value is None:
            value = os.environ.get(parser.variables.get(action.dest, ""))
        if value is not None:
            words += _words(action, value)
    options, _ = parser.parse_known_args(words)
    for name, value in given.items():
        if not hasattr(options, name):
            setattr(options, name, value)
    defaults = {
        "host": _swarm.host(),
        "tags": _swarm.tags() or None,
        "exclude_tags": _swarm.exclude_tags() or None,
        "stop_timeout": _swarm.stop_timeout(),
        "headless": True,
        "locustfile": os.path.basename(sys.argv[0]),
        "loglevel": os.environ.get("LOCUST_LOGLEVEL", "INFO"),
        "num_users": None,
        "users": None,
        "spawn_rate": None,
        "run_time": None,
        "expect_workers": 1,
        "master": False,
        "worker": False,
        "csv_prefix": None,
        "reset_stats": False,
    }
    for name, value in defaults.items():
        if not hasattr(options, name):
            setattr(options, name, value)
    return options


def _words(action, value):
    """The words of a command line that say the same."""
    option = action.option_strings[-1]
    if action.nargs == 0:
        return [option] if value.strip().lower() in ("1", "true", "yes", "on") else []
    if action.nargs in ("*", "+") or isinstance(action.nargs, int):
        return [option, *value.split()]
    return [f"{option}={value}" if option.startswith("--") else f"{option}{value}"]


def get_parser(default_config_files=()):
    return LocustArgumentParser()
