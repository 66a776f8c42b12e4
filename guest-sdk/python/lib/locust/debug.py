"""`run_single_user` is for a debugger, under `if __name__ == "__main__"`; here nothing is the main
module."""


def run_single_user(
    user_class,
    include_length=False,
    include_time=False,
    include_context=False,
    include_payload=False,
    loglevel="WARNING",
):
    raise NotImplementedError(
        "run_single_user runs a user in a debugger: it has no meaning in swarm. Call it under "
        '`if __name__ == "__main__":`'
    )
