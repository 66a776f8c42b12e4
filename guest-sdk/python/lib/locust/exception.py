"""The exceptions that scripts raise and catch."""


class LocustError(Exception):
    """A mistake in the use of this package."""


class ResponseError(Exception):
    """Raised in a `with` block of a request: the request has failed, with this text."""


class CatchResponseError(Exception):
    """What `failure()` makes of anything that is no exception."""


class MissingWaitTimeError(LocustError):
    """Neither the user nor its task set says how long to wait."""


class InterruptTaskSet(Exception):
    """Leaves a nested task set."""

    def __init__(self, reschedule=True):
        super().__init__(reschedule)
        self.reschedule = reschedule


class StopTest(Exception):
    """Ends the test, when raised where a user is made."""


class StopUser(Exception):
    """Ends the user that raises it."""


class RescheduleTask(Exception):
    """Ends a task: the user waits, and goes on with the next."""


class RescheduleTaskImmediately(Exception):
    """Ends a task: the user goes on with the next at once."""


class RPCError(Exception):
    """Exists for those who name it: workers and master talk elsewhere."""


class RPCSendError(RPCError):
    """As RPCError."""


class RPCReceiveError(RPCError):
    """As RPCError."""


class RunnerAlreadyExistsError(Exception):
    """An environment has a runner already."""
