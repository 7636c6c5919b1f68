"""Which waits and which cancellations an event matches.

Listeners are kept by event name. One whose expression begins with `async.path == value` is found
by that value, so that thousands of runs that wait for the same event name, each for its own id,
cost an event one look-up.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.local.inngest.expressions import Expression, Path, lookup
from harness.local.inngest.ids import steady_us
from harness.local.inngest.state import Event, Run


@dataclass(eq=False, slots=True)
class Listener:
    """A run that an event of some name may concern.

    Attributes:
        hash: the waiting step, None where the event cancels the run.
        expires_at: from when it hears nothing, by the steady clock; None for never.
    """

    run: Run
    name: str
    hash: str | None
    expression: Expression | None
    expires_at: int | None


_Bucket = dict[Listener, None]  # in the order they began to listen


class Matcher:
    """The listeners of all unfinished runs."""

    def __init__(self) -> None:
        self._plain: dict[str, _Bucket] = defaultdict(dict)
        self._keyed: dict[str, dict[Path, dict[Any, _Bucket]]] = {}
        self._by_run: dict[Run, list[Listener]] = defaultdict(list)

    def add(self, listener: Listener) -> None:
        """Hear events from now on."""
        self._bucket(listener)[listener] = None
        self._by_run[listener.run].append(listener)

    def remove_step(self, run: Run, step: str) -> None:
        """Stop hearing for one step of a run."""
        for listener in [item for item in self._by_run.get(run, ()) if item.hash == step]:
            self._by_run[run].remove(listener)
            self._discard(listener)

    def remove_run(self, run: Run) -> None:
        """Stop hearing for a run."""
        for listener in self._by_run.pop(run, ()):
            self._discard(listener)

    def matches(self, event: Event) -> list[Listener]:
        """The listeners whose name and expression fit, in the order they were added."""
        now = steady_us()
        return [
            listener
            for listener in self._candidates(event)
            if (listener.expires_at is None or now < listener.expires_at) and hears(listener, event)
        ]

    def _candidates(self, event: Event) -> Iterator[Listener]:
        yield from list(self._plain.get(event.name, ()))
        for path, buckets in self._keyed.get(event.name, {}).items():
            value = _key(lookup(event.payload, path))
            yield from list(buckets.get(value, ()))

    def _bucket(self, listener: Listener) -> _Bucket:
        equality = listener.expression.equality if listener.expression else None
        if equality is None:
            return self._plain[listener.name]
        value = _key(equality.value(event=listener.run.event.payload))
        paths = self._keyed.setdefault(listener.name, {})
        return paths.setdefault(equality.path, {}).setdefault(value, {})

    def _discard(self, listener: Listener) -> None:
        equality = listener.expression.equality if listener.expression else None
        if equality is None:
            self._plain[listener.name].pop(listener, None)
            if not self._plain[listener.name]:
                del self._plain[listener.name]
            return
        value = _key(equality.value(event=listener.run.event.payload))
        buckets = self._keyed[listener.name][equality.path]
        buckets[value].pop(listener, None)
        if not buckets[value]:
            del buckets[value]


def hears(listener: Listener, event: Event) -> bool:
    """Whether an event of the listener's name is one that it listens for."""
    expression = listener.expression
    return expression is None or expression.true(
        **{"event": listener.run.event.payload, "async": event.payload}
    )


def _key(value: Any) -> Any:
    """Something to look up by that is equal whenever CEL finds the values equal."""
    if isinstance(value, bool):
        return ("bool", value)
    if value is None or isinstance(value, str | int | float):
        return value
    return "\x00container"
