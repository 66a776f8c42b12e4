"""Tasks and task sets.

A user's task sets are no loops: a user that rests must not keep a stack. What a loop would know is
in the user's list of sets (`User._sets`, the outermost first), and `User._advance` does one step of
the innermost. `TaskSet.run` is the loop for those who call it themselves.
"""

import logging
import random
import traceback
from collections import deque
from time import perf_counter

import _swarm

from ..exception import (
    InterruptTaskSet,
    MissingWaitTimeError,
    StopUser,
)

logger = logging.getLogger(__name__)

LOCUST_STATE_RUNNING, LOCUST_STATE_WAITING, LOCUST_STATE_STOPPING = "running", "waiting", "stopping"


def task(weight=1):
    """Marks a method, or a class in a class, as a task; `@task(3)` counts three times."""

    def mark(function):
        name = function.__name__
        if name in ("on_stop", "on_start"):
            logging.warning(
                "You have tagged your on_stop/start function with @task. This will make the method "
                "get called both as a task AND on stop/start."
            )
        if name == "run":
            raise Exception(
                "User.run() is a method used internally by Locust, and you must not override it or "
                "register it as a task"
            )
        function.locust_task_weight = weight
        return function

    if callable(weight):
        function, weight = weight, 1
        return mark(function)
    return mark


def tag(*tags):
    """Gives a task, or all tasks of a set, names for `--tags` and `--exclude-tags`."""
    if not tags or callable(tags[0]):
        raise ValueError("No tag name was supplied")

    def mark(decorated):
        if hasattr(decorated, "tasks"):
            decorated.tasks = [mark(task) for task in decorated.tasks]
        else:
            if "locust_tag_set" not in decorated.__dict__:
                decorated.locust_tag_set = set()
            decorated.locust_tag_set |= set(tags)
        return decorated

    return mark


def _listed(tasks):
    """The tasks of a list or dict, each as often as it counts."""
    if isinstance(tasks, dict):
        tasks = tasks.items()
    for item in tasks:
        if isinstance(item, tuple):
            found, count = item
            yield from [found] * count
        else:
            yield item


def get_tasks_from_base_classes(bases, class_dict):
    """All tasks of a class: those of its bases, those of its list, those of its body."""
    tasks = []
    for base in bases:
        tasks += getattr(base, "tasks", None) or []
    if class_dict.get("tasks") is not None:
        tasks += _listed(class_dict["tasks"])
    for item in class_dict.values():
        if "locust_task_weight" in dir(item):
            tasks += [item] * item.locust_task_weight
    return tasks


def is_markov_taskset(task):
    return type(task).__name__ == "MarkovTaskSetMeta"


def filter_tasks_by_tags(task_holder, tags=None, exclude_tags=None, checked=None):
    """Leaves of a class's tasks, and of those of its sets, what the tags select."""
    checked = {} if checked is None else checked
    left = []
    for task in task_holder.tasks:
        if task not in checked:
            checked[task] = _passes(task, tags, exclude_tags, checked)
        if checked[task]:
            left.append(task)
    task_holder.tasks = left
    if not left and not is_markov_taskset(task_holder):
        logging.warning(
            "%s had no tasks left after filtering, instantiating it will fail!",
            task_holder.__name__,
        )


def _passes(task, tags, exclude_tags, checked):
    if hasattr(task, "tasks"):
        filter_tasks_by_tags(task, tags, exclude_tags, checked)
        return bool(task.tasks) or is_markov_taskset(task)
    own = getattr(task, "locust_tag_set", None)
    if tags is not None and not (own and own & tags):
        return False
    return exclude_tags is None or not own or not own & exclude_tags


def choice(tasks):
    """One of the tasks, as `random.choice` draws it."""
    return _swarm.choice(tasks) if type(tasks) is list else random.choice(tasks)


class TaskSetMeta(type):
    """Collects the tasks of a class when it is made."""

    def __new__(mcs, classname, bases, class_dict):
        class_dict["tasks"] = get_tasks_from_base_classes(bases, class_dict)
        return type.__new__(mcs, classname, bases, class_dict)


def no_tasks(holder, what, then):
    """The exception of a set that has no tasks."""
    hint = "."
    if getattr(holder, "task", None):
        hint = f", but you have set a 'task' attribute{what} - maybe you meant to set 'tasks'?"
    return Exception(f"No tasks defined on {type(holder).__name__}{hint} {then}")


class TaskSet(metaclass=TaskSetMeta):
    """A set of tasks, of which a user picks one after the other."""

    tasks = []
    min_wait = None
    max_wait = None
    wait_function = None
    _cp_last_wait_time = 0

    def __init__(self, parent):
        self._task_queue = deque()
        self._parent = parent
        self._user = parent.user if isinstance(parent, TaskSet) else parent
        self._cp_last_run = self._time_start = perf_counter()
        user = self._user
        self.min_wait = self.min_wait or user.min_wait
        self.max_wait = self.max_wait or user.max_wait
        self.wait_function = self.wait_function or user.wait_function

    @property
    def user(self):
        """The user whose set it is."""
        return self._user

    @property
    def parent(self):
        """The set around, or the user."""
        return self._parent

    @property
    def client(self):
        """The user's client."""
        return self._user.client

    def on_start(self):
        """Called when a user enters the set."""

    def on_stop(self):
        """Called when a user leaves the set."""

    def interrupt(self, reschedule=True):
        """Leaves the set. The one around picks its next task at once, or waits first."""
        raise InterruptTaskSet(reschedule)

    def schedule_task(self, task_callable, first=False):
        """Puts a task into the queue, at its end or at its begin."""
        if first:
            self._task_queue.appendleft(task_callable)
        else:
            self._task_queue.append(task_callable)

    def get_next_task(self):
        """The task that is scheduled when the queue is empty."""
        if not self.tasks:
            raise no_tasks(
                self, "", "use the @task decorator or set the 'tasks' attribute of the TaskSet"
            )
        return choice(self.tasks)

    def execute_next_task(self):
        self.execute_task(self._task_queue.popleft())

    def execute_task(self, task):
        self._user._task = task
        if getattr(task, "__self__", None) is self:
            task()
        elif hasattr(task, "tasks") and issubclass(task, TaskSet):
            self._user._enter(task(self))
        else:
            task(self)

    def wait_time(self):
        """Seconds until the next task."""
        if self._user.wait_time:
            return self._user.wait_time()
        if self.min_wait is not None and self.max_wait is not None:
            return random.randint(self.min_wait, self.max_wait) / 1000.0
        raise MissingWaitTimeError(
            f"You must define a wait_time method on either the {type(self._user).__name__} or "
            f"{type(self).__name__} class"
        )

    def wait(self):
        """Waits in the middle of a task as between two."""
        user = self._user
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_WAITING
        self._sleep(self.wait_time())
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_RUNNING

    def _sleep(self, seconds):
        import gevent

        gevent.sleep(seconds)

    def run(self):
        """Runs tasks until the set is left, waiting in between: for those who call it."""
        user, depth = self._user, len(self._user._sets)
        user._enter(self)
        while len(user._sets) > depth:
            rest = user._advance()
            if rest < 0:
                raise StopUser
            self._sleep(rest)


class DefaultTaskSet(TaskSet):
    """The outermost set of each user: its tasks are the user's, and get the user."""

    def get_next_task(self):
        user = self._user
        if not user.tasks:
            raise no_tasks(
                user,
                " on your class",
                "Use the @task decorator or set the 'tasks' attribute of the User (or mark it as "
                "abstract = True if you only intend to subclass it)",
            )
        return choice(user.tasks)

    def execute_task(self, task):
        user = self._user
        user._task = task
        if hasattr(task, "tasks") and issubclass(task, TaskSet):
            user._enter(task(user))
        else:
            task(user)


def failed(user, taskset, error):
    """An exception has ended a task: it is counted, told, and logged."""
    from _swarm_runtime import life

    name = getattr(user._task, "__name__", "task")
    where = type(user).__name__
    if isinstance(taskset, TaskSet) and type(taskset) is not DefaultTaskSet:
        where = f"{where}.{type(taskset).__name__}"
    life.report(where, name, error)
    user.environment.events.user_error.fire(
        user_instance=taskset, exception=error, tb=error.__traceback__
    )
    logger.error("%s\n%s", error, trace_of(error))


def trace_of(error):
    from _swarm_runtime import trace

    return trace.lines(error)


def stopped(taskset):
    """Calls a set's `on_stop` when its user ends."""
    try:
        taskset.on_stop()
    except Exception:
        logging.error("Uncaught exception in on_stop: \n%s", traceback.format_exc())


def unhandled(user, error):
    """An exception has ended a user."""
    from _swarm_runtime import life

    from .. import log

    log.unhandled_greenlet_exception = True
    life.report(type(user).__name__, "run", error)
