"""Searching the text of the workspace's files."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated, Any

import re2
from pydantic import Field

from harness.models import Effect
from harness.tools import _ignored
from harness.tools.context import ToolContext
from harness.tools.errors import ToolError
from harness.tools.registry import example, tool
from harness.tools.workspace import Workspace

MAX_LINES = 50  # that match
MAX_LINE_CHARS = 200
LEAD_CHARS = 60  # before a match, in a line that is too long
MAX_AROUND = 10
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_BYTES = 32 * 1024 * 1024  # of all files together
MAX_FILES = 20_000
IGNORE_FILE = ".gitignore"
# A query of words alone: if it stands nowhere, its words may still stand on one line.
_SENTENCE = re.compile(r"(?:[\w\s,:;!?'\"-]|\.(?=\s|$))+")
# What of a pattern is no literal: escapes, and names of classes and groups.
_NO_LITERAL = re.compile(r"\\[pP](?:\{\^?\w+\}|\w)|\\.|\[:\^?\w+:\]|\(\?P?<\w+>")


@dataclass(frozen=True)
class Match:
    """A way to understand a query.

    Attributes:
        begin: where a line's match begins, None for a line without one.
        possible: whether a text may have such a line; asked first, for a whole file.
    """

    begin: Callable[[str], int | None]
    possible: Callable[[str], bool]


@dataclass
class Found:
    """Lines that match, and what was left out."""

    shown: list[str] = field(default_factory=list)
    lines: int = 0
    left_out: list[str] = field(default_factory=list)


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
        example("Find all TODO lines in the Python files", query="TODO", glob="*.py"),
        example(
            "grep for functions that begin with load_, with two lines around",
            query=r"def load_\w+",
            lines_around=2,
        ),
    ],
)
def search_text(
    query: Annotated[
        str,
        Field(
            description="The word or phrase to look for, or a regular expression (RE2)",
            min_length=1,
            max_length=200,
        ),
    ],
    glob: Annotated[
        str, Field(description="Search only files like '*.md' or 'src/**'", max_length=200)
    ] = "",
    lines_around: Annotated[
        int, Field(description="How many lines to show around each match", ge=0, le=MAX_AROUND)
    ] = 0,
    *,
    context: ToolContext,
) -> list[str]:
    """Search the text of all files in the workspace for a word or phrase."""
    files = _Files(Workspace(context.workspace), glob)
    for match in _matches(query):
        found = _search(files, match, lines_around)
        if found.lines:
            return [*found.shown, *found.left_out]
    return [f"No file contains {query!r}.", *found.left_out]


def _matches(query: str) -> Iterator[Match]:
    """Ways to understand a query; the next is tried when one finds nothing."""
    try:
        yield _has_pattern(query)
        wrong = None
    except re2.error as error:
        wrong = error.args[0].decode("utf-8", "replace")
    yield _has_phrase(query)
    if wrong is not None:
        raise ToolError(
            f"{query!r} is no regular expression ({wrong}) and stands nowhere as it is; "
            "put a backslash before signs that are meant as they are"
        )
    if _SENTENCE.fullmatch(query):
        yield _has_words(query)


def _has_pattern(query: str) -> Match:
    options = re2.Options()
    options.log_errors = False
    # Smart case: only a capital letter in the query makes capitals matter.
    options.case_sensitive = any(letter.isupper() for letter in _NO_LITERAL.sub("", query))
    pattern: Any = re2.compile(query, options)

    def begin(line: str) -> int | None:
        found = pattern.search(line)
        return found.start() if found else None

    return Match(begin, lambda text: True)


def _has_phrase(query: str) -> Match:
    wanted = query.strip().casefold()

    def begin(line: str) -> int | None:
        at = line.casefold().find(wanted)
        return at if at >= 0 else None

    return Match(begin, lambda text: wanted in text.casefold())


def _has_words(query: str) -> Match:
    wanted = re.findall(r"\w+", query.casefold())

    def begin(line: str) -> int | None:
        text = line.casefold()
        places = [text.find(word) for word in wanted]
        return min(places) if places and min(places) >= 0 else None

    return Match(begin, lambda text: begin(text) is not None)


class _Files:
    """The files that a search reads, within bounds; `left_out` says what was not read."""

    def __init__(self, workspace: Workspace, pattern: str) -> None:
        self._workspace = workspace
        self._wanted = _ignored.glob(pattern) if pattern else lambda path: True
        self._ignored = _ignored.TreePatterns(self._ignore_lines)
        self.left_out: list[str] = []

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each file's path and its text."""
        self.left_out = []
        size = 0
        for number, entry in enumerate(self._workspace.walk(skip=self._ignored.match)):
            if number == MAX_FILES or size > MAX_BYTES:
                self.left_out.append(f"[cut: not searched from {entry.path} on; name a glob]")
                return
            if not entry.is_file or not self._wanted(entry.path):
                continue
            if entry.status.st_size > MAX_FILE_BYTES:
                self.left_out.append(f"[not searched: {entry.path} is too large]")
                continue
            size += entry.status.st_size
            text = self._workspace.find(entry.path, MAX_FILE_BYTES)
            if text:
                yield entry.path, text

    def _ignore_lines(self, folder: str) -> list[str]:
        text = self._workspace.find(str(PurePosixPath(folder, IGNORE_FILE)))
        return text.splitlines() if text else []


def _search(files: _Files, match: Match, around: int) -> Found:
    found = Found()
    for path, text in files.texts():
        if not match.possible(text):
            continue
        # What follows the end of the last line is no line.
        lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        begins = ((number, match.begin(line)) for number, line in enumerate(lines))
        places = {number: begin for number, begin in begins if begin is not None}
        for number in list(places)[MAX_LINES - found.lines :]:
            del places[number]
            found.left_out = [f"[cut: the first {MAX_LINES} lines shown; narrow the search]"]
        found.lines += len(places)
        found.shown += _shown(path, lines, places, around)
        if found.left_out:
            break
    found.left_out += files.left_out
    return found


def _shown(path: str, lines: list[str], places: dict[int, int], around: int) -> list[str]:
    """Lines as ripgrep shows them: `:` behind the number of a match, `-` behind one around it."""
    shown: list[str] = []
    last = -1
    wanted = sorted(
        {n for place in places for n in range(place - around, place + around + 1)}
        & set(range(len(lines)))
    )
    for number in wanted:
        if around and last >= 0 and number > last + 1:
            shown.append("--")
        mark = ":" if number in places else "-"
        text = _window(lines[number], places.get(number, 0))
        kept = text if around else text.lstrip()
        shown.append(f"{path}{mark}{number + 1}{mark} {kept}".rstrip())
        last = number
    return shown


def _window(line: str, at: int) -> str:
    """A line, or of one that is too long the part around the match."""
    if len(line) <= MAX_LINE_CHARS:
        return line
    start = max(0, min(at - LEAD_CHARS, len(line) - MAX_LINE_CHARS))
    part = line[start : start + MAX_LINE_CHARS]
    return f"{'…' if start else ''}{part}{'…' if start + MAX_LINE_CHARS < len(line) else ''}"
