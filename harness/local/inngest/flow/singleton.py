"""Singletons: one unfinished run a key; a new event is skipped, or takes the run's place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.local.inngest.expressions import Expression
from harness.local.inngest.flow.keys import name_of, parse_key
from harness.local.inngest.state import Run


@dataclass(frozen=True)
class Singleton:
    """One run of a key at a time.

    Attributes:
        cancels: whether a new run cancels the one in progress, instead of being skipped.
    """

    cancels: bool
    key: Expression | None

    def name(self, function_id: str, event: Mapping[str, Any]) -> str | None:
        """What a run of this event counts as; None where its key exempts it."""
        return name_of(f"single:{function_id}", self.key, event)


def parse_singleton(raw: Mapping[str, Any] | None) -> Singleton | None:
    """The setting as it was registered.

    Raises:
        ValueError: it is malformed.
    """
    if not raw:
        return None
    if raw["mode"] not in {"skip", "cancel"}:
        raise ValueError(f"its singleton mode is {raw['mode']!r}: use skip or cancel")
    return Singleton(raw["mode"] == "cancel", parse_key(raw.get("key")))


class Singletons:
    """The unfinished runs of singleton functions, by what they count as."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def holder(self, name: str) -> Run | None:
        """The unfinished run that counts as `name`."""
        return self._runs.get(name)

    def hold(self, name: str, run: Run) -> None:
        """Make `run` the one that counts as `name`, until `release`."""
        run.singleton = name
        self._runs[name] = run

    def release(self, run: Run) -> None:
        """Give up what a run that ended held."""
        if run.singleton and self._runs.get(run.singleton) is run:
            del self._runs[run.singleton]
