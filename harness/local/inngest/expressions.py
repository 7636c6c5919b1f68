"""CEL expressions over events, with Inngest's meaning.

The library is common-expression-language. It raises on a missing key, where Inngest means null,
so an expression gets a *projection* of the events: only the paths it names, null where one is
missing. That also keeps a large event from being converted for each evaluation.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from harness.local.inngest._cel import compile_program

log = logging.getLogger(__name__)

_STRING = re.compile(r"""r?("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""")
_PATH = re.compile(
    r"""(?<![\w.])(event|async)((?:\s*\.\s*[A-Za-z_]\w*|\s*\[\s*(?:"[^"\\]*"|'[^'\\]*')\s*\])*)(\s*\()?"""
)
_KEY = re.compile(r"""\.\s*([A-Za-z_]\w*)|\[\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\]""")
_EQUALITY = re.compile(r"^\s*(async(?:\.[A-Za-z_]\w*)+)\s*==\s*([^=<>!&?]+?)\s*(?:&&.*)?$", re.S)
_EQUALITY_REVERSED = re.compile(
    r"^\s*([^=<>!&?]+?)\s*==\s*(async(?:\.[A-Za-z_]\w*)+)\s*(?:&&.*)?$", re.S
)

Path = tuple[str, ...]


class ExpressionError(ValueError):
    """An expression that is no CEL."""


@dataclass(frozen=True)
class Equality:
    """A conjunct `async.path == value` that an incoming event must satisfy."""

    path: Path
    value: "Expression"


class Expression:
    """One compiled expression.

    Args:
        source: the CEL text.

    Raises:
        ExpressionError: it does not compile.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            self._program = compile_program(source)
        except Exception as error:
            raise ExpressionError(f"the expression {source!r} is not CEL: {error}") from None
        self._paths, self._tested = _paths(source)
        self._warned = False

    def __call__(self, **events: Mapping[str, Any]) -> Any:
        """The value for these events; None where it cannot be computed.

        Args:
            events: `event` and, where a second one came in, `async`.
        """
        try:
            return self._program.execute(self._project(events))
        except Exception as error:  # the library raises whatever its operators do
            if not self._warned:
                self._warned = True
                log.warning("the expression %r gave no value: %s", self.source, error)
            return None

    def true(self, **events: Mapping[str, Any]) -> bool:
        """Whether the expression is true for these events; what fails is not true."""
        return self(**events) is True

    @cached_property
    def equality(self) -> Equality | None:
        """What an incoming event's field must equal, where the expression starts by saying so."""
        blanked = _STRING.sub(lambda found: '"' + "x" * (len(found[0]) - 2) + '"', self.source)
        if "||" in blanked or "?" in blanked or "!" in blanked:
            return None
        for pattern, path_group, value_group in ((_EQUALITY, 1, 2), (_EQUALITY_REVERSED, 2, 1)):
            found = pattern.match(blanked)
            if not found:
                continue
            value = self.source[slice(*found.span(value_group))]
            if "async" in value or "(" in value or " in " in value:
                continue
            return Equality(tuple(found[path_group].split(".")[1:]), compile_expression(value))
        return None

    def _project(self, events: dict[str, Mapping[str, Any]]) -> dict[str, Any]:
        projection: dict[str, Any] = {name: {} for name in events}
        for path in self._paths:
            if path[0] in events:
                _copy(events, projection, path, fill=path not in self._tested)
        return projection


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """The expression compiled once.

    Raises:
        ExpressionError: it does not compile.
    """
    return Expression(source)


def lookup(event: Mapping[str, Any], path: Path) -> Any:
    """The value at `path`, None where there is none."""
    value: Any = event
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def _paths(source: str) -> tuple[list[Path], set[Path]]:
    """The paths an expression reads, shortest first, and those it asks `has()` about."""
    strings = [found.span() for found in _STRING.finditer(source)]
    paths: set[Path] = set()
    tested: set[Path] = set()
    for found in _PATH.finditer(source):
        if any(start < found.start() < end for start, end in strings):
            continue
        keys = [next(filter(None, key), "") for key in _KEY.findall(found[2])]
        path = (found[1], *(keys[:-1] if found[3] else keys))
        paths.add(path)
        if re.search(r"\bhas\s*\(\s*$", source[: found.start()]):
            tested.add(path)
    return sorted(paths, key=len), tested


def _copy(source: Mapping[str, Any], target: dict[str, Any], path: Path, *, fill: bool) -> None:
    """Copy the value at `path`, with null for it and its parents where they are missing."""
    here: Any = source
    for depth, key in enumerate(path):
        last = depth == len(path) - 1
        missing = not isinstance(here, Mapping) or key not in here
        if missing and not fill:
            return
        here = None if missing else here[key]
        if last:
            target[key] = _value(here)
            return
        existing = target.get(key)
        if not isinstance(existing, dict):
            if key in target:  # a shorter path of the expression put a scalar or null here
                return
            existing = target[key] = {}
        target = existing


def _value(value: Any) -> Any:
    """JSON as CEL sees it: a number without a fraction is an int, a container is a copy."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item) for item in value]
    return value
