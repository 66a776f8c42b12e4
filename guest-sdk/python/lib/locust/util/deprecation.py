"""Names of Locust before 1.0, which tell those who use them what they are called now."""

import warnings


def check_for_deprecated_task_set_attribute(class_dict):
    from locust.user.task import TaskSet

    task_set = class_dict.get("task_set")
    if isinstance(task_set, type) and issubclass(task_set, TaskSet):
        warnings.warn(
            "Usage of User.task_set is deprecated since version 1.0. Set the tasks attribute "
            "instead (tasks = [%s])" % task_set.__name__,
            DeprecationWarning,
        )


def _old(name, new):
    class Meta(type):
        def __new__(mcs, classname, bases, class_dict):
            if classname in (name, f"Deprecated{name}"):
                return super().__new__(mcs, classname, bases, class_dict)
            raise ImportError(
                f"The {name} class has been renamed to {new} in version 1.0. For more info see: "
                "https://docs.locust.io/en/latest/changelog.html#changelog-1-0"
            )

    return Meta(name, (), {})


Locust = _old("Locust", "User")
HttpLocust = _old("HttpLocust", "HttpUser")
