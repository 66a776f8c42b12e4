"""The runner of an instance: what scripts ask of Locust's.

To a script each instance is a Locust process that runs by itself, a LocalRunner. MasterRunner and
WorkerRunner are there for those who ask which one it is.
"""

import logging
import time

import _swarm
from _swarm_runtime import switch

from . import log

logger = logging.getLogger(__name__)

STATE_INIT, STATE_SPAWNING, STATE_RUNNING = "ready", "spawning", "running"
STATE_CLEANUP, STATE_STOPPING, STATE_STOPPED, STATE_MISSING = (
    "cleanup",
    "stopping",
    "stopped",
    "missing",
)

# Nobody has been started for so many seconds: all that are to be there are there.
SPAWNED_AFTER = 2.0


class Runner:
    """What all runners have."""

    def __init__(self, environment):
        self.environment = environment
        self.state = STATE_INIT
        self.exceptions = {}
        self.target_user_count = 0
        self.custom_messages = {}
        self.current_cpu_usage = 0.0
        self.current_memory_usage = 0
        environment.events.request.add_listener(environment.events.request.record)

    @property
    def stats(self):
        return self.environment.stats

    @property
    def errors(self):
        return self.stats.errors

    @property
    def user_classes(self):
        return self.environment.user_classes

    @property
    def user_classes_by_name(self):
        return self.environment.user_classes_by_name

    def update_state(self, new_state):
        self.state = new_state

    def register_message(self, msg_type, listener, concurrent=False):
        """Calls the listener for messages of this kind that are sent in this instance."""
        if msg_type in self.custom_messages:
            raise Exception(
                f"Tried to register listener method for {msg_type}, but it already had a listener!"
            )
        self.custom_messages[msg_type] = listener

    def send_message(self, msg_type, data=None, client_id=None):
        """Sends a message to this instance: others are not reached."""
        listener = self.custom_messages.get(msg_type)
        if listener is None:
            logger.warning("Unknown message type received: %s", msg_type)
        else:
            listener(environment=self.environment, msg=Message(msg_type, data, "local"))


class Message:
    def __init__(self, message_type, data, node_id):
        self.type, self.data, self.node_id = message_type, data, node_id


class Users:
    """The users that are there, as a group of greenlets."""

    def __init__(self):
        self.users = {}

    def __len__(self):
        return len(self.users)

    def __iter__(self):
        return iter([user.greenlet for user in self.users.values()])


class LocalRunner(Runner):
    """The runner that there is."""

    def __init__(self, environment):
        super().__init__(environment)
        self.worker_index, self.worker_count, self.client_id = 0, 1, "local"
        self.user_greenlets = Users()
        self._spawned_at = 0.0
        self._watching = False

    @property
    def user_count(self):
        return len(self.user_greenlets)

    @property
    def user_classes_count(self):
        counts = {cls.__name__: 0 for cls in self.user_classes}
        for user in self.user_greenlets.users.values():
            counts[type(user).__name__] += 1
        return counts

    def start(self, user_count, spawn_rate, wait=False, user_classes=None):
        raise NotImplementedError(
            "how many users there are is the host's matter: give it with "
            "--users and --spawn-rate, or on the page"
        )

    def stop(self):
        """Ends the users of this instance."""
        if self.state not in (STATE_CLEANUP, STATE_STOPPED):
            self._stopping()
            _swarm.finish("the script has stopped its runner")

    def quit(self):
        """Ends the users of this instance, and with them its part of the test."""
        self.stop()

    # What follows is called by `_swarm_runtime.life`.

    def begin(self):
        """The first user is about to start."""
        events = self.environment.events
        if self.state == STATE_INIT:
            self._tell(events.init, runner=self, web_ui=None)
        for name in events.unheard():
            logger.warning("events.%s is never fired here: its listeners are not called", name)
        self.state = STATE_SPAWNING
        self._tell(events.test_start)

    def end(self):
        """The last user is gone."""
        events = self.environment.events
        if self.state != STATE_CLEANUP:
            self._stopping()
        self.state = STATE_STOPPED
        self._tell(events.test_stop)
        self._tell(events.quitting, reverse=True)
        code = self.environment.process_exit_code
        if code is None and log.unhandled_greenlet_exception:
            code = 2
        self._tell(events.quit, exit_code=code or 0)
        if code:
            logger.warning("the script ends with the exit code %s", code)

    def _stopping(self):
        self._tell(self.environment.events.test_stopping)
        self.state = STATE_CLEANUP

    def _tell(self, hook, **kwargs):
        if hook is not self.environment.events.quit:
            kwargs["environment"] = self.environment
        hook.fire(**kwargs)

    def spawned(self):
        """A user starts."""
        if self.state != STATE_SPAWNING and not self.environment.events.spawning_complete._handlers:
            return
        self._spawned_at = time.monotonic()
        if not self._watching:
            self._watching = True
            _Watch(self).begin()

    def came(self, user):
        self.user_greenlets.users[id(user)] = user

    def gone(self, user):
        self.user_greenlets.users.pop(id(user), None)


class _Watch(switch.Branch):
    """Waits until all users have been started, and tells so."""

    def __init__(self, runner):
        self.runner = runner

    def execute(self):
        runner = self.runner
        while (left := runner._spawned_at + SPAWNED_AFTER - time.monotonic()) > 0:
            switch.pause(left)
        runner._watching = False
        if runner.state == STATE_SPAWNING:
            runner.state = STATE_RUNNING
        runner.environment.events.spawning_complete.fire(user_count=runner.user_count)


class DistributedRunner(Runner):
    """Not what runs here."""


class MasterRunner(DistributedRunner):
    """Not what runs here: ask for it by isinstance."""


class WorkerRunner(DistributedRunner):
    """Not what runs here: ask for it by isinstance."""
