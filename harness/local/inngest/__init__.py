"""A local Inngest engine that speaks the real protocol with the unmodified SDK."""

from harness.local.inngest.app import create_app
from harness.local.inngest.engine import Engine, Options

__all__ = ["Engine", "Options", "create_app"]
