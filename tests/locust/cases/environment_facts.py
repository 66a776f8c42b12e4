"""What the environment tells."""

from locust import HttpUser, events, task
from locust.exception import StopUser
from locust.runners import LocalRunner, MasterRunner, WorkerRunner


@events.init_command_line_parser.add_listener
def arguments(parser):
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--colour", choices=["red", "blue"], default="red", env_var="LOCUST_COLOUR")
    parser.add_argument("--flag", action="store_true")


class Environment(HttpUser):
    @task
    def all(self):
        env = self.environment
        self.client.post(
            "/env",
            json=[
                env.host is not None,
                env.host == self.host,
                env.web_ui is None,
                isinstance(env.runner, (MasterRunner, WorkerRunner)),
                isinstance(env.runner, LocalRunner),
                [cls.__name__ for cls in env.user_classes],
                env.shape_class is None,
                env.catch_exceptions,
                env.parsed_options.depth,
                env.parsed_options.colour,
                env.parsed_options.flag,
                env.parsed_options.host == env.host,
                env.runner.user_count,
                env.stop_timeout,
                env.process_exit_code,
            ],
        )
        raise StopUser
