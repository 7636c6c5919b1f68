"""Events that came just before the wait that would have matched them.

Such an event does not end the wait, on Inngest neither. There it shows as a run that hangs until
its timeout; here it is told at once.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice

from harness.local.inngest.expressions import lookup
from harness.local.inngest.ids import steady_us
from harness.local.inngest.matching import Listener, hears
from harness.local.inngest.state import Event

WINDOW_S = 10
_MOST_EVENTS = 1_000
_MOST_BYTES = 16 * 1024 * 1024
_MOST_TRIED = 50  # of one name, so that a wait costs little where thousands of events come in


class RecentEvents:
    """The events of the last seconds."""

    def __init__(self) -> None:
        self._all: deque[tuple[int, Event]] = deque()
        self._by_name: dict[str, deque[tuple[int, Event]]] = {}
        self._bytes = 0

    def add(self, event: Event) -> None:
        """Remember an event for a while."""
        entry = (steady_us(), event)
        self._all.append(entry)
        self._by_name.setdefault(event.name, deque()).append(entry)
        self._bytes += len(event.body)
        while self._all and (
            len(self._all) > _MOST_EVENTS
            or self._bytes > _MOST_BYTES
            or self._all[0][0] < entry[0] - WINDOW_S * 1_000_000
        ):
            self._drop_oldest()

    def missed_by(self, listener: Listener) -> str | None:
        """Words on the newest event that a wait would have ended with, had it been there in time.

        Args:
            listener: what a wait that was just recorded hears by.
        """
        now = steady_us()
        run, alike = listener.run, _alike(listener)
        for at, event in islice(reversed(self._by_name.get(listener.name, ())), _MOST_TRIED):
            if at < now - WINDOW_S * 1_000_000:
                return None
            used = event is run.event or any(memo is event.body for memo in run.memos.values())
            if not used and alike(event) and hears(listener, event):
                return (
                    f"event {event.id!r} ({event.name}) matches but came {(now - at) // 1000} ms"
                    " before the wait was recorded, so the wait goes on, as on Inngest: wait before"
                    " the event can be sent, or look for it in a step beside the wait"
                )
        return None

    def _drop_oldest(self) -> None:
        _, event = self._all.popleft()
        self._bytes -= len(event.body)
        named = self._by_name[event.name]
        named.popleft()
        if not named:
            del self._by_name[event.name]


def _alike(listener: Listener) -> Callable[[Event], bool]:
    """Whether an event has the value that the wait's expression begins with.

    It is far cheaper than the whole expression, and rules nearly all events out.
    """
    equality = listener.expression.equality if listener.expression else None
    if equality is None:
        return lambda event: True
    path, wanted = equality.path, equality.value(event=listener.run.event.payload)
    return lambda event: bool(lookup(event.payload, path) == wanted)
