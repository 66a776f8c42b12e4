"""Task sets in which each task says which may follow it."""

import logging
import random

from ..exception import LocustError
from .task import TaskSet, TaskSetMeta


class NoMarkovTasksError(LocustError):
    """A set has no task with transitions."""


class InvalidTransitionError(LocustError):
    """A transition leads to nothing."""


class NonMarkovTaskTransitionError(LocustError):
    """A transition leads to what has no transitions."""


class MarkovTaskTagError(LocustError):
    """Such tasks cannot have tags."""


def is_markov_task(task):
    return "transitions" in dir(task)


def _add(function, weights):
    if not hasattr(function, "transitions"):
        function.transitions = {}
    function.transitions.update(weights)
    return function


def transition(func_name, weight=1):
    """The method may be followed by that of this name."""
    return lambda function: _add(function, {func_name: weight})


def transitions(weights):
    """The method may be followed by these, of a dict or a list."""
    if not isinstance(weights, dict):
        weights = dict(item if isinstance(item, tuple) else (item, 1) for item in weights)
    return lambda function: _add(function, weights)


def to_weighted_list(transitions):
    return [name for name, weight in transitions.items() for _ in range(weight)]


def _check(tasks, class_dict, classname):
    if not tasks:
        raise NoMarkovTasksError(
            f"No Markov tasks defined in class {classname}. Use the @transition(s) decorators to "
            "define some."
        )
    for task in tasks:
        for name in task.transitions:
            following = class_dict.get(name)
            if not following:
                raise InvalidTransitionError(
                    f"Transition to {name} from {task.__name__} is invalid since no such element "
                    f"exists on class {classname}"
                )
            if not is_markov_task(following):
                raise NonMarkovTaskTransitionError(
                    f"{classname}.{name} cannot be used as a target for a transition since it does "
                    f"not define any transitions of its own.Used as a transition from "
                    f"{task.__name__}."
                )
    _warn_of_unreachable(tasks, class_dict, classname)
    for task in tasks:
        if task.__name__ in ("on_stop", "on_start"):
            logging.warning(
                "You have tagged your on_stop/start function with @transition. This will make the "
                "method get called both as a step AND on stop/start."
            )
        if task.__name__ == "run":
            raise Exception(
                "TaskSet.run() is a method used internally by Locust, and you must not override it "
                "or annotate it with transitions"
            )
        if "locust_tag_set" in dir(task):
            raise MarkovTaskTagError(
                "Tags are unsupported for MarkovTaskSet since they can make the markov chain "
                f"invalid. Tags detected on {classname}.{task.__name__}: {task.locust_tag_set}"
            )


def _warn_of_unreachable(tasks, class_dict, classname):
    reached, left = set(), [tasks[0].__name__]
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            left += to_weighted_list(class_dict[name].transitions)
    if unreachable := {task.__name__ for task in tasks} - reached:
        logging.warning(
            "The following markov tasks are unreachable in class %s: %s", classname, unreachable
        )


class MarkovTaskSetMeta(TaskSetMeta):
    """Checks the chain when the class is made."""

    def __new__(mcs, classname, bases, class_dict):
        if not class_dict.get("abstract"):
            class_dict["abstract"] = False
            tasks = [value for value in class_dict.values() if is_markov_task(value)]
            _check(tasks, class_dict, classname)
            class_dict["current"] = tasks[0]
            for task in tasks:
                task.transitions = to_weighted_list(task.transitions)
        return type.__new__(mcs, classname, bases, class_dict)


class MarkovTaskSet(TaskSet, metaclass=MarkovTaskSetMeta):
    """Begins with its first task; each says by its transitions which may follow."""

    abstract = True

    def get_next_task(self):
        function = self.current
        self.current = getattr(self, random.choice(function.transitions))
        return function
