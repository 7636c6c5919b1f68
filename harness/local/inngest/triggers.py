"""Which functions an event starts."""

from collections.abc import Iterable, Iterator

from harness.local.inngest.config import Function
from harness.local.inngest.state import Event


class Triggers:
    """Functions by the names and wildcards that trigger them."""

    def __init__(self) -> None:
        self._by_pattern: dict[str, list[Function]] = {}
        self._wild = False

    def replace(self, functions: Iterable[Function]) -> None:
        """Let events start these functions and no others."""
        self._by_pattern = {}
        for function in functions:
            for pattern in dict.fromkeys(trigger.event for trigger in function.triggers):
                self._by_pattern.setdefault(pattern, []).append(function)
        self._wild = any(pattern.endswith("*") for pattern in self._by_pattern)

    def started_by(self, event: Event) -> list[Function]:
        """The functions that have a trigger this event matches, each once."""
        if not self._wild:
            here = self._by_pattern.get(event.name, ())
            return [function for function in here if _fits(function, {event.name}, event)]
        patterns = {event.name, *_wildcards(event.name)}
        return list(
            dict.fromkeys(
                function
                for pattern in patterns
                for function in self._by_pattern.get(pattern, ())
                if _fits(function, patterns, event)
            )
        )


def _fits(function: Function, patterns: set[str], event: Event) -> bool:
    return any(
        trigger.event in patterns
        and (trigger.expression is None or trigger.expression.true(event=event.payload))
        for trigger in function.triggers
    )


def _wildcards(name: str) -> Iterator[str]:
    """The wildcards that match a name: a `*` after any of its `/` and `.`."""
    for index, character in enumerate(name):
        if character in "/.":
            yield f"{name[: index + 1]}*"
