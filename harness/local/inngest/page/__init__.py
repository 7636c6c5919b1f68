"""The page: what the engine has, rendered on the server and kept fresh while it is looked at."""

from harness.local.inngest.page.routes import ROUTES

__all__ = ["ROUTES"]
