"""Task sets whose tasks come in the order in which they are declared."""

from itertools import cycle

from ..exception import LocustError
from .task import TaskSet, TaskSetMeta


class SequentialTaskSetMeta(TaskSetMeta):
    """Collects the tasks in their order; a list counts where it stands among the methods."""

    def __new__(mcs, classname, bases, class_dict):
        tasks = []
        for base in bases:
            tasks += getattr(base, "tasks", None) or []
        for key, value in class_dict.items():
            if key == "tasks":
                if isinstance(value, list):
                    tasks += value
                elif isinstance(value, dict):
                    for task, weight in value.items():
                        tasks += [task] * weight
                else:
                    raise ValueError("The 'tasks' attribute can only be set to list or dict")
            if "locust_task_weight" in dir(value):
                tasks += [value] * value.locust_task_weight
        class_dict["tasks"] = tasks
        return type.__new__(mcs, classname, bases, class_dict)


class SequentialTaskSet(TaskSet, metaclass=SequentialTaskSetMeta):
    """A sequence of tasks, again and again. A task of weight 3 comes three times in a row."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._task_cycle = cycle(self.tasks)

    def get_next_task(self):
        if not self.tasks:
            raise LocustError(
                "No tasks defined. Use the @task decorator or set the 'tasks' attribute of the "
                "SequentialTaskSet"
            )
        return next(self._task_cycle)
