"""The surroundings of users: what the test is, its events, its runner."""

import logging

import _swarm

from .exception import RunnerAlreadyExistsError
from .runners import LocalRunner, MasterRunner, WorkerRunner
from .stats import RequestStats
from .user.task import filter_tasks_by_tags


class Environment:
    """One for each instance of a script, made when the script is loaded."""

    def __init__(
        self,
        *,
        user_classes=None,
        shape_class=None,
        tags=None,
        locustfile=None,
        exclude_tags=None,
        events=None,
        host=None,
        reset_stats=False,
        stop_timeout=None,
        catch_exceptions=True,
        parsed_options=None,
        parsed_locustfiles=None,
        available_user_classes=None,
        available_shape_classes=None,
        available_user_tasks=None,
        dispatcher_class=None,
        profile=None,
    ):
        from .event import Events

        self.runner = self.web_ui = None
        self.process_exit_code = None
        self.events = events or Events()
        self.locustfile, self.profile = locustfile, profile
        self.user_classes = user_classes or []
        self.shape_class = shape_class
        self.tags, self.exclude_tags = tags, exclude_tags
        self.host, self.reset_stats = host, reset_stats
        if stop_timeout is None:
            stop_timeout = getattr(parsed_options, "stop_timeout", 0.0)
        self.stop_timeout = float(stop_timeout or 0.0)
        self.catch_exceptions = catch_exceptions
        self.parsed_options = parsed_options
        self.parsed_locustfiles = parsed_locustfiles
        self.available_user_classes = available_user_classes
        self.available_shape_classes = available_shape_classes
        self.available_user_tasks = available_user_tasks
        self.dispatcher_class = dispatcher_class
        self.worker_logs = {}
        self._stats = None
        self._remove_user_classes_with_weight_zero()
        self._validate_user_class_name_uniqueness()

    @property
    def stats(self):
        """The figures of this instance, since they were first asked for."""
        if self._stats is None:
            self._stats = RequestStats()
            self.events.request.stats = self._stats
        return self._stats

    @property
    def user_classes_by_name(self):
        return {cls.__name__: cls for cls in self.user_classes}

    def create_local_runner(self):
        if self.runner is not None:
            raise RunnerAlreadyExistsError(f"Environment.runner already exists ({self.runner})")
        self.runner = LocalRunner(self)
        return self.runner

    def assign_equal_weights(self):
        """Gives all classes the same weight, and all their tasks."""
        for cls in self.user_classes:
            cls.weight = 1
            cls.tasks = list(dict.fromkeys(cls.tasks))

    def _filter_tasks_by_tags(self):
        """Leaves the tasks that the tags select."""
        tags = set(self.tags) if self.tags else None
        exclude = set(self.exclude_tags) if self.exclude_tags else None
        if tags or exclude:
            for cls in self.user_classes:
                filter_tasks_by_tags(cls, tags, exclude)

    def _remove_user_classes_with_weight_zero(self):
        if not self.user_classes:
            return
        left = []
        for cls in self.user_classes:
            if cls.weight == 0 and not cls.fixed_count:
                continue
            left.append(cls)
        if not left:
            raise ValueError("There are no users with weight > 0.")
        self.user_classes[:] = left

    def _validate_user_class_name_uniqueness(self):
        by_name = {}
        for cls in self.user_classes:
            by_name.setdefault(cls.__name__, []).append(cls)
        for name, classes in by_name.items():
            if len(classes) > 1:
                where = ", ".join(f"{cls.__module__}.{cls.__name__}" for cls in classes)
                raise ValueError(f"The following user classes have the same class name: {where}")


def load_environment(user_classes, shape_classes):
    """The environment of the script that has just been imported."""
    import locust

    from . import argument_parser

    if not user_classes:
        raise ValueError(
            "No User class found! Does the script define a class that is derived from "
            "HttpUser (or User, or FastHttpUser) and not abstract?"
        )
    if shape_classes:
        names = ", ".join(cls.__name__ for cls in shape_classes)
        raise ValueError(
            f"{names}: load shapes (LoadTestShape) are not run yet. Take the class out, or make it "
            "abstract = True, and give the load with --users, --spawn-rate and --run-time"
        )
    options = argument_parser.parse_options(locust.events)
    classes = list(user_classes.values())
    environment = Environment(
        user_classes=classes,
        tags=_swarm.tags() or None,
        exclude_tags=_swarm.exclude_tags() or None,
        locustfile=options.locustfile,
        events=locust.events,
        host=_swarm.host(),
        parsed_options=options,
        parsed_locustfiles=[options.locustfile],
    )
    if environment.host:
        for cls in classes:
            cls.host = environment.host
    environment._filter_tasks_by_tags()
    environment.create_local_runner()
    return environment


logger = logging.getLogger(__name__)

__all__ = ["Environment", "LocalRunner", "MasterRunner", "WorkerRunner"]
