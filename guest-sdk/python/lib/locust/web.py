"""The page is the host's: `environment.web_ui` is None."""


class WebUI:
    """Exists for those who name it."""
