"""What the script consists of, as the host reads it.

The host drives nothing of it but how many users of each class there are: which task comes next and
how long a user rests is decided here, as Locust decides it. Tasks and waits are there to be shown,
and for `--tags`.
"""

import math

# Cases of `plan.wait` in the contract.
_NONE, _CONSTANT, _BETWEEN, _PACING, _CUSTOM = 0, 1, 2, 3, 6

# Longest name in the plan, in characters, and tasks of a class that are told.
_NAME_MAX, _TASKS_MAX = 60, 1000


def describe(user_classes):
    """A tuple for each class; see `plan.c`."""
    return [_class(cls) for cls in user_classes]


def _class(cls):
    fixed = int(cls.fixed_count or 0)
    weight = None if fixed > 0 else float(cls.weight)
    host = cls.host if isinstance(cls.host, str) and cls.host else None
    wait, first, second = _wait(cls)
    tasks = _tasks(cls.tasks, "", 1.0, [], set())
    if not any(weight for _, weight, _ in tasks):
        # Locust finds out when a user runs.
        tasks = [("(no task)", 1.0, [])]
    return (_name(cls.__name__), weight, fixed, host, wait, first, second, tasks[:_TASKS_MAX])


def _name(name):
    name = str(name).encode("utf-8", "replace").decode()
    return name if len(name) <= _NAME_MAX else name[: _NAME_MAX - 3] + "..."


def _wait(cls):
    kind, values = getattr(cls.__dict__.get("wait_time") or cls.wait_time, "swarm_wait", (None, ()))
    try:
        values = [round(float(value) * 1000) for value in values]
    except (TypeError, ValueError, OverflowError):
        return _CUSTOM, 0, 0
    if not all(0 <= value < 1 << 32 for value in values):
        return _CUSTOM, 0, 0
    if kind == "constant":
        return (_CONSTANT, values[0], 0) if values[0] else (_NONE, 0, 0)
    if kind == "between" and values[0] <= values[1]:
        return _BETWEEN, values[0], values[1]
    if kind == "pacing":
        return _PACING, values[0], 0
    return _CUSTOM, 0, 0


def _tasks(tasks, prefix, weight, tags, seen):
    """Tasks with what share of all each is, those of nested sets with the names of their sets."""
    counts = {}
    for task in tasks or ():
        counts[task] = counts.get(task, 0) + 1
    total = sum(counts.values())
    found = []
    for task, count in counts.items():
        name = prefix + getattr(task, "__name__", "task")
        share = weight * count if not prefix else weight * count / total
        inner = getattr(task, "tasks", None)
        if inner and task not in seen and math.isfinite(share):
            found += _tasks(inner, f"{name}.", share, tags, seen | {task})
        else:
            own = sorted(map(str, getattr(task, "locust_tag_set", ())))
            found.append((_name(name), share, [_name(tag) for tag in own]))
    return found
