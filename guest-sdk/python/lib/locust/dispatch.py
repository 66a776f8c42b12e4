"""Who runs where is the host's matter."""


class UsersDispatcher:
    """Exists for those who name it."""
