"""Which events start a run, and when: the settings of `flow/` that act before a run begins."""

import logging
from collections import Counter

from harness.local.inngest.config import Function
from harness.local.inngest.flow.cells import Cells
from harness.local.inngest.flow.rate_limit import RateLimit
from harness.local.inngest.flow.singleton import Singletons
from harness.local.inngest.ids import steady_us
from harness.local.inngest.state import Event, Run, Skipped
from harness.local.inngest.transaction import Transaction

log = logging.getLogger(__name__)


class Admission:
    """What limits the start of runs, and what has used it up.

    Attributes:
        cells: what rate limits and throttles count in.
        skipped: how many events matched a function and started no run of it, since the start.
    """

    def __init__(self) -> None:
        self.cells = Cells()
        self.skipped: Counter[str] = Counter()
        self._singletons = Singletons()

    def skip(self, function: Function, event: Event, tx: Transaction) -> Skipped | None:
        """Count an incoming event in what limits them, or write down why it starts no run."""
        skipped = self._over_limit(function, event, tx) or self.occupied(function, event)
        if skipped:
            self.skipped[function.id] += 1
            tx.add_skip(event, function.id, skipped.reason)
            log.debug("event %s starts no run of %s: %s", event.id, function.id, skipped.reason)
        return skipped

    def occupied(self, function: Function, event: Event) -> Skipped | None:
        """Whether an unfinished run of a singleton keeps an event from starting another one."""
        if function.singleton and not function.singleton.cancels:
            holder = self._holder(function, event)
            if holder:
                return Skipped(f"it is a singleton and run {holder.id} is unfinished")
        return None

    def _over_limit(self, function: Function, event: Event, tx: Transaction) -> Skipped | None:
        counted = []
        for limit in function.rate_limits:
            name = limit.name(function.id, event.payload)
            if name is None:
                continue
            if self.cells.allowed_at(name, limit.rate) > steady_us():
                setting = "rate limit" if isinstance(limit, RateLimit) else "idempotency key"
                return Skipped(f"its {setting} is used up ({name})")
            counted.append((name, limit.rate))
        for name, rate in counted:
            self.cells.take(name, rate, tx)
        return None

    def hold(self, run: Run, function: Function) -> Run | None:
        """Make a run the only one of its kind, where its function is a singleton.

        Returns:
            The unfinished run whose place it takes.
        """
        if function.singleton is None:
            return None
        replaced = self._holder(function, run.event)
        name = function.singleton.name(function.id, run.event.payload)
        if name is not None:
            self._singletons.hold(name, run)
        return replaced

    def release(self, run: Run) -> None:
        """Give up what a run that ended held."""
        self._singletons.release(run)

    def _holder(self, function: Function, event: Event) -> Run | None:
        setting = function.singleton
        name = setting.name(function.id, event.payload) if setting else None
        return self._singletons.holder(name) if name is not None else None


def start_at(function: Function, event: Event, now: int) -> int | None:
    """When a run begins, in milliseconds; None for at once.

    An event from the future puts its runs off to its time. So does a negative priority, by its
    seconds.
    """
    if event.ts > now:
        return event.ts
    ahead_ms = function.priority.ahead_ms(event.payload) if function.priority else 0
    return now - ahead_ms if ahead_ms < 0 else None
