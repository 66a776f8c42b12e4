"""Tasks that the tags leave."""

# tags: a b
# exclude-tags: slow
from locust import HttpUser, SequentialTaskSet, TaskSet, tag, task
from locust.exception import StopUser


class Tagged(HttpUser):
    @task
    class Steps(SequentialTaskSet):
        @tag("a")
        @task
        def of_a(self):
            self.client.get("/a")

        @tag("b", "slow")
        @task
        def slow(self):
            self.client.get("/slow")

        @task
        def untagged(self):
            self.client.get("/untagged")

        @tag("c")
        @task
        class Gone(TaskSet):
            @task
            def never(self):
                self.client.get("/never")

        @tag("b")
        @task
        class Kept(SequentialTaskSet):
            @task
            def inner(self):
                self.client.get("/inner")
                self.interrupt()

        @tag("a", "b")
        @task
        def end(self):
            self.client.get("/end")
            raise StopUser
