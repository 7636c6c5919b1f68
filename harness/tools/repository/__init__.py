"""Git on the workspace, in Python alone: no program is run, no hook, no filter."""

from harness.tools.repository.repository import Repository

__all__ = ["Repository"]
