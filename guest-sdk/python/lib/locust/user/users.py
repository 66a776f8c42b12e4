"""Users, and what they do from their start to their end."""

import json
import logging
import re
import time
import traceback
from contextlib import contextmanager
from time import perf_counter

from _swarm_runtime.switch import GreenletExit

from ..clients import HttpSession
from ..exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from ..util.deprecation import check_for_deprecated_task_set_attribute
from .task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
    DefaultTaskSet,
    TaskSet,
    failed,
    get_tasks_from_base_classes,
    stopped,
    trace_of,
    unhandled,
)
from .wait_time import constant

logger = logging.getLogger(__name__)

# What `User._advance` returns for a user that is done.
FINISHED = -1.0


class UserMeta(type):
    """Collects the tasks of a class when it is made. A class is abstract only if it says so."""

    def __new__(mcs, classname, bases, class_dict):
        class_dict["tasks"] = get_tasks_from_base_classes(bases, class_dict)
        if not class_dict.get("abstract"):
            class_dict["abstract"] = False
        check_for_deprecated_task_set_attribute(class_dict)
        return type.__new__(mcs, classname, bases, class_dict)


class User(metaclass=UserMeta):
    """One who runs tasks, one after the other, and waits in between."""

    host = None
    min_wait = None
    max_wait = None
    wait_time = constant(0)
    wait_function = None
    tasks = []
    weight = 1
    fixed_count = 0
    abstract = True

    _state = None
    _taskset_instance = None
    _greenlet = None
    _cp_last_wait_time = 0
    # The sets that it is inside of, the outermost first; empty before its start and after its end.
    _sets = ()
    _task = None
    _alive = False
    # The host wants it to end with this task, as a request has told.
    _stopping_soon = False
    # Its time was over in the middle of a task.
    _interrupted = False

    def __init__(self, environment):
        super().__init__()
        self.environment = environment
        self._cp_last_run = perf_counter()

    def on_start(self):
        """Called when the user begins."""

    def on_stop(self):
        """Called when the user ends."""

    def context(self):
        """What is added to the context of its requests."""
        return {}

    def wait(self):
        """Waits in the middle of a task as between two."""
        self._taskset_instance.wait()

    def stop(self, force=False):
        """Ends the user: with its task, or where it waits now."""
        if force or self._state in (None, LOCUST_STATE_WAITING):
            self._state = LOCUST_STATE_STOPPING
            self.greenlet.kill(block=False)
            return True
        if self._state == LOCUST_STATE_RUNNING:
            self._state = LOCUST_STATE_STOPPING
            return False
        raise Exception(
            f"Tried to stop User in an unexpected state: {self._state}. This should never happen."
        )

    @property
    def greenlet(self):
        """What stands for the user among greenlets."""
        if self._greenlet is None:
            from gevent import UserGreenlet

            self._greenlet = UserGreenlet(self)
        return self._greenlet

    @property
    def group(self):
        return self.environment.runner.user_greenlets

    @classmethod
    def json(cls):
        return {
            "host": cls.host,
            "weight": cls.weight,
            "fixed_count": cls.fixed_count,
            "tasks": [task.__name__ for task in cls.tasks],
        }

    @classmethod
    def fullname(cls):
        parts = f"{cls.__module__}.{cls.__qualname__}".split(".")
        return ".".join(part for part in parts if part != "<locals>")

    # What follows is called by `_swarm_runtime.life`.

    def _begin(self):
        """The user begins. What its `on_start` raises ends it."""
        self._state = LOCUST_STATE_RUNNING
        root = self._taskset_instance = DefaultTaskSet(self)
        try:
            self.on_start()
        except GreenletExit:
            # Its time is over before it has begun: it ends like any other.
            self._interrupted = True
        except (StopUser, StopTest) as error:
            logger.error("%s\n%s", error, traceback.format_exc())
            self._finish()
            return
        except Exception as error:
            self._task = type(self).on_start
            failed(self, self, error)
            return
        self._sets, self._alive = [root], True
        if self._interrupted:
            return
        try:
            root.on_start()
        except Exception as error:
            self._die(error)

    def _advance(self):
        """One task of the innermost set. Returns how many seconds to rest, or FINISHED."""
        top = self._sets[-1]
        try:
            try:
                if self._state is LOCUST_STATE_STOPPING:
                    raise StopUser
                self._state = LOCUST_STATE_RUNNING
                if not top._task_queue:
                    top.schedule_task(top.get_next_task())
                top.execute_next_task()
            except RescheduleTaskImmediately:
                return 0.0
            except RescheduleTask:
                return self._rest(top)
            if self._sets[-1] is not top:
                # It has entered another set.
                return 0.0
            return self._rest(top)
        except InterruptTaskSet as error:
            return self._leave(error)
        except (StopUser, StopTest):
            return self._finish()
        except Exception as error:
            return self._failed(top, error)

    def _failed(self, top, error):
        try:
            failed(self, top, error)
            if not self.environment.catch_exceptions:
                return self._die(error)
            return self._rest(top)
        except (StopUser, StopTest):
            return self._finish()
        except Exception as another:
            return self._die(another)

    def _rest(self, top):
        if self._state is LOCUST_STATE_STOPPING:
            raise StopUser
        cls = type(top)
        if cls.wait is not TaskSet.wait or cls._sleep is not TaskSet._sleep:
            top.wait()
            return 0.0
        self._state = LOCUST_STATE_WAITING
        seconds = top.wait_time()
        return float(seconds) if seconds > 0 else 0.0

    def _enter(self, child):
        """Goes into a nested set. Raises what its `on_start` raises into the set around."""
        try:
            child.on_start()
        except InterruptTaskSet as error:
            kind = RescheduleTaskImmediately if error.reschedule else RescheduleTask
            raise kind(error.reschedule).with_traceback(error.__traceback__) from None
        if self._sets:
            self._sets.append(child)

    def _leave(self, interrupt):
        """Goes back to the set around; at the outermost there is none."""
        top = self._sets[-1]
        try:
            top.on_stop()
        except (StopUser, StopTest):
            return self._finish()
        except Exception:
            logging.error("Uncaught exception in on_stop: \n%s", traceback.format_exc())
        if len(self._sets) == 1:
            return self._die(interrupt)
        self._sets.pop()
        if interrupt.reschedule:
            return 0.0
        top = self._sets[-1]
        try:
            return self._rest(top)
        except (StopUser, StopTest):
            return self._finish()
        except Exception as error:
            return self._failed(top, error)

    def _finish(self):
        """Ends in order: the sets' `on_stop`, the innermost first, and the user's."""
        if self._state is not None:
            self._state = LOCUST_STATE_STOPPING
        self._alive, sets, self._sets = False, self._sets, ()
        for taskset in reversed(sets):
            stopped(taskset)
        try:
            self.on_stop()
        except (StopUser, StopTest):
            pass
        except Exception as error:
            self._die(error)
        return FINISHED

    def _die(self, error):
        """Ends by an exception that nobody caught."""
        self._alive, self._sets = False, ()
        logger.critical("Unhandled exception in greenlet: %r\n%s", self, trace_of(error))
        unhandled(self, error)
        return FINISHED

    def _end(self):
        """The host ends the user."""
        if self._alive:
            self._finish()


class RestMixin:
    """`rest` and `rest_` of users that have an HTTP client."""

    _callstack_regex = re.compile(r'  File "(\/.[^"]*)", line (\d*),(.*)')

    @contextmanager
    def rest(self, method, url, headers=None, **kwargs):
        """A request for JSON: `js` of the response is what it holds. An answer that is not JSON, or
        an exception in the block, is a failure."""
        headers = dict(headers) if headers else {}
        if not ("Content-Type" in headers or "content-type" in headers):
            headers["Content-Type"] = "application/json"
        if not ("Accept" in headers or "accept" in headers):
            headers["Accept"] = "application/json"
        request = self.client.request(method, url, catch_response=True, headers=headers, **kwargs)
        with request as resp:
            resp.js = None
            if resp.content is None:
                resp.failure(str(resp.error))
            elif resp.text:
                try:
                    resp.js = resp.json()
                except json.JSONDecodeError as error:
                    resp.failure(
                        f"Could not parse response as JSON. {resp.text[:250]}, response "
                        f"code {resp.status_code}, error {error}"
                    )
            try:
                yield resp
            except AssertionError as error:
                resp.failure(self._assertion(error, resp))
            except Exception as error:
                resp.failure(self._unexpected(error, resp))

    @staticmethod
    def _assertion(error, resp):
        if not error.args:
            return "Assertion failed"
        if error.args[0].endswith(","):
            short = resp.text[:200] if resp.text else resp.text
            return f"{error.args[0][:-1]}, response was {short}"
        return error.args[0]

    def _unexpected(self, error, resp):
        places = []
        for line in traceback.format_exc().split("\n"):
            if (found := self._callstack_regex.match(line)) and "/swarm/" not in line:
                places.append(f"{found[1]}:{found[2]}{found[3]}")
        short = resp.text[:200] if resp.text else resp.text
        return f"{type(error).__name__}: {error} at {', '.join(places)}. Response was {short}"

    @contextmanager
    def rest_(self, method, url, name=None, **kwargs):
        """As `rest`, with the time as a parameter that no cache knows."""
        separator = "&" if "?" in url else "?"
        name = url + separator + "_=..." if name is None else name
        url = f"{url}{separator}_={int(time.time() * 1000)}"
        with self.rest(method, url, name=name, **kwargs) as resp:
            yield resp


NO_HOST = (
    "You must specify the base host. Either in the host attribute in the User class, or on "
    "the command line using the --host option."
)


class HttpUser(User, RestMixin):
    """A user with an HTTP client that does as requests does: `self.client`."""

    abstract = True
    pool_manager = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.host is None:
            raise StopTest(NO_HOST)
        self.client = HttpSession(
            base_url=self.host,
            request_event=self.environment.events.request,
            user=self,
        )
