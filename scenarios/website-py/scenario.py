"""A small website: most users look at the front page and at the page about it.

The host loads this module once, asks `describe` for the plan and then calls `start`, `run` and
`stop` for each virtual user. Every import and its types: `wit/scenario.wit`.
"""

from collections.abc import Callable

import wit_world
from componentize_py_types import Err
from wit_world.imports import http, plan


def visit(client: http.Client, path: str) -> None:
    """Gets a page, and marks the request as failed if the answer is not the page."""
    try:
        response = client.get(path)
    except Err:
        # No answer: the host has already counted it as a failure, with the reason.
        return
    # Leaving the block drops the response; until then the host keeps it.
    with response:
        status = response.status()
        if status != 200:
            response.fail(f"expected a 200, got {status}")


def index(client: http.Client) -> None:
    visit(client, "/")


def about(client: http.Client) -> None:
    visit(client, "/about")


# What the users of this scenario do, with weights; a task's place in the list is its id.
TASKS: list[tuple[Callable[[http.Client], None], float]] = [(index, 1.0), (about, 1.0)]

# The client of every user in this instance, by the user's id. Up to 1,000 users share an instance
# (see `sharing` below). This lives in the module: there is a new WitWorld for each call.
clients: dict[int, http.Client] = {}


class WitWorld(wit_world.WitWorld):
    """What the host calls. An `Err` raised here ends up among the test's errors."""

    def describe(self) -> plan.Scenario:
        """The plan: who the users are, how long they rest, what they may do."""
        tasks = [
            plan.Task(place, task.__name__, weight, tags=[], action=plan.Action_Run())
            for place, (task, weight) in enumerate(TASKS)
        ]
        website_user = plan.UserClass(
            name="WebsiteUser",
            population=plan.Population_Weight(1.0),
            host=None,
            wait=plan.Wait_Between(plan.Range(min=1000, max=5000)),
            sets=[plan.TaskSet(name="root", order=plan.Order_Weighted(), tasks=tasks)],
        )
        # An instance of CPython costs about 6 MiB; a user more inside one costs about 8 KiB.
        return plan.Scenario(classes=[website_user], sharing=plan.Sharing_Shared(1000))

    def start(self, user: plan.User, client: http.Client) -> None:
        """A user begins. Its client holds its connections and its cookies."""
        clients[user.id] = client

    def run(self, user: int, task: int) -> plan.Then:
        """A user does a task."""
        do, _ = TASKS[task]
        do(clients[user])
        return plan.Then.REST

    def stop(self, user: int) -> None:
        """A user ends; its client goes back to the host."""
        with clients.pop(user):
            pass  # Leaving the block drops it.
