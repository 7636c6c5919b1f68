"""Searching the text of the workspace's files."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated

from pydantic import Field

from harness.models import Effect
from harness.tools.context import ToolContext
from harness.tools.errors import ToolError
from harness.tools.registry import example, tool
from harness.tools.workspace import Workspace

MAX_LINES = 50
MAX_LINE_CHARS = 200

Query = Annotated[
    str, Field(description="The word or phrase to look for", min_length=1, max_length=200)
]


@tool(
    effect=Effect.READ,
    examples=[
        example("Find where the boiler is mentioned", query="boiler"),
        example("Search the files for 'retry limit'", query="retry limit"),
        example("Which file talks about insurance?", query="insurance"),
        example("grep for parse_date", query="parse_date"),
        example("Look through my documents for the word passport", query="passport"),
        example("In which document does Mr Okafor appear?", query="Okafor"),
        example("Is there anything about cinnamon in the notes?", query="cinnamon"),
        example("Where in the workspace is the deadline written?", query="deadline"),
    ],
)
def search_text(query: Query, *, context: ToolContext) -> list[str]:
    """Search the text of all files in the workspace for a word or phrase."""
    workspace = Workspace(context.workspace)
    # A phrase that stands nowhere as it is may still have its words on one line.
    found = _search(workspace, _has_phrase(query)) or _search(workspace, _has_words(query))
    return found or [f"No file contains {query!r}."]


def _search(workspace: Workspace, matches: Callable[[str], bool]) -> list[str]:
    found: list[str] = []
    for path, number, line in _lines(workspace):
        if matches(line):
            found.append(f"{path}:{number}: {line.strip()[:MAX_LINE_CHARS]}")
            if len(found) == MAX_LINES:
                break
    return found


def _lines(workspace: Workspace) -> Iterator[tuple[str, int, str]]:
    for path in workspace.files():
        try:
            text = workspace.read(path)
        except ToolError:
            continue  # too large, no text, or gone since it was listed
        for number, line in enumerate(text.splitlines(), 1):
            yield path, number, line


def _has_phrase(query: str) -> Callable[[str], bool]:
    wanted = query.strip().casefold()
    return lambda line: wanted in line.casefold()


def _has_words(query: str) -> Callable[[str], bool]:
    wanted = re.findall(r"\w+", query.casefold())
    return lambda line: bool(wanted) and all(word in line.casefold() for word in wanted)
