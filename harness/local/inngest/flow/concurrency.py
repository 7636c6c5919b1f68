"""How many steps execute at once.

A limit counts *executing* steps, as on Inngest: a run that sleeps or waits holds nothing, so the
runs of one key interleave. Nothing polls: a step that ends lets the next one in.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.local.inngest.config import Function


@dataclass(eq=False, slots=True)
class Ticket:
    """One call that wants to execute.

    Attributes:
        slots: the limits it counts in, by name, with how many each lets in.
        enter: called when all of them have room; `leave` must follow.
        wanted: whether it still wants to.
    """

    slots: tuple[tuple[str, int], ...]
    enter: Callable[["Ticket"], None]
    wanted: Callable[[], bool]


@dataclass(slots=True)
class _Slot:
    limit: int
    used: int = 0
    waiting: deque[Ticket] = field(default_factory=deque)


class Gate:
    """Lets calls in as far as their limits allow, first come first served."""

    def __init__(self) -> None:
        self._slots: dict[str, _Slot] = {}

    def queue(self, ticket: Ticket) -> None:
        """Let `ticket` in now, or as soon as there is room in all its limits."""
        for name, limit in ticket.slots:
            slot = self._slots.get(name)
            if slot and slot.used >= limit:
                slot.waiting.append(ticket)
                return
        for name, limit in ticket.slots:
            slot = self._slots.setdefault(name, _Slot(limit))
            slot.limit = limit  # the newest registration's
            slot.used += 1
        ticket.enter(ticket)

    def leave(self, ticket: Ticket) -> None:
        """Give back what `ticket` held and let in who waited for it."""
        for name, _ in ticket.slots:
            self._slots[name].used -= 1
        for name, _ in ticket.slots:
            self._admit(name)

    def _admit(self, name: str) -> None:
        slot = self._slots.get(name)
        if slot is None:
            return
        while slot.waiting and slot.used < slot.limit:
            following = slot.waiting.popleft()
            if following.wanted():
                self.queue(following)
        if not slot.used and not slot.waiting:
            self._slots.pop(name, None)


def slots(function: Function, event: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """The limits that a run's steps count in.

    Args:
        function: the run's function.
        event: the payload of the event that started it, which the keys read.
    """
    for index, limit in enumerate(function.concurrency):
        key = "" if limit.key is None else str(limit.key(event=event))
        owner = f"fn:{function.id}:{index}" if limit.scope == "fn" else limit.scope
        yield f"{owner}:{key}", limit.limit
