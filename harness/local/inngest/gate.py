"""The gate that every call passes: limits on what executes at once, and on how runs start.

Nothing polls: a call that ends lets the next one in, and a timer stands at the moment a throttle
opens. A call takes its places in all limits at once or in none.
"""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.local.inngest.flow.cells import Cells, Rate
from harness.local.inngest.ids import steady_us


@dataclass(eq=False, slots=True)
class Ticket:
    """One call that wants to execute.

    Attributes:
        slots: the limits it counts in, by name, with how many each lets in.
        rank: the least goes first; no two have the same.
        enter: called when all of them have room; `leave` must follow.
        wanted: whether it still wants to.
        throttle: what it counts as where it starts a throttled run.
    """

    slots: tuple[tuple[str, int], ...]
    rank: tuple[int, int]
    enter: Callable[["Ticket"], None]
    wanted: Callable[[], bool]
    throttle: tuple[str, Rate] | None = None

    def __lt__(self, other: "Ticket") -> bool:
        return self.rank < other.rank


@dataclass(slots=True)
class _Slot:
    limit: int
    used: int = 0
    waiting: list[Ticket] = field(default_factory=list)


class Gate:
    """Lets calls in as far as their limits allow, by rank.

    Args:
        cells: what throttles count in; `enter` takes from it.
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._slots: dict[str, _Slot] = {}
        self._throttled: dict[str, list[Ticket]] = {}
        self._loop = asyncio.get_running_loop()

    def queue(self, ticket: Ticket) -> None:
        """Let `ticket` in now, or as soon as there is room in all its limits."""
        for name, limit in ticket.slots:
            slot = self._slots.get(name)
            if slot and slot.used >= limit:
                heapq.heappush(slot.waiting, ticket)
                return
        if ticket.throttle and self._held(ticket, *ticket.throttle):
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
            following = heapq.heappop(slot.waiting)
            if following.wanted():
                self.queue(following)
        if not slot.used and not slot.waiting:
            self._slots.pop(name, None)

    def _held(self, ticket: Ticket, name: str, rate: Rate) -> bool:
        """Whether a throttle holds the ticket back; it is queued again when it opens."""
        waiting = self._throttled.get(name)
        if waiting is not None:  # a timer stands already
            heapq.heappush(waiting, ticket)
            return True
        opens_us = self._cells.allowed_at(name, rate) - steady_us()
        if opens_us <= 0:
            return False
        self._throttled[name] = [ticket]
        self._loop.call_later(opens_us / 1_000_000, self._open, name)
        return True

    def _open(self, name: str) -> None:
        waiting = self._throttled.pop(name)
        while waiting and name not in self._throttled:
            following = heapq.heappop(waiting)
            if following.wanted():
                self.queue(following)
        for late in waiting:
            heapq.heappush(self._throttled[name], late)
