"""The values that a path may take in a run: a model can then only name what is there."""

from harness.context.analysis import terms
from harness.tools.context import ToolContext
from harness.tools.workspace import Workspace

MOST = 40  # more would crowd the prompt and slow a grammar down


def files(context: ToolContext, text: str) -> list[str]:
    """The workspace's files, those that the message names first."""
    return _ranked(Workspace(context.workspace).files(), text)


def folders(context: ToolContext, text: str) -> list[str]:
    """The workspace's folders, those that the message names first, and the workspace itself."""
    return [*_ranked(Workspace(context.workspace).folders(), text), "."]


def both(context: ToolContext, text: str) -> list[str]:
    """The workspace's files and folders, those that the message names first."""
    return _ranked([path for path, _ in Workspace(context.workspace).entries()], text)


def _ranked(paths: list[str], text: str) -> list[str]:
    asked = set(terms(text))

    def shared(path: str) -> int:
        return len(asked.intersection(terms(path.replace("_", " "))))

    return sorted(paths, key=lambda path: (-shared(path), path))[:MOST]
