"""The generic cell rate algorithm, which Inngest counts throttles and rate limits by.

Of each key one number is kept: when its next cell would arrive if they came evenly. One that comes
earlier than that by more than the tolerance does not conform. The numbers are on the journal, so a
restart forgets no limit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.local.inngest.ids import steady_us

if TYPE_CHECKING:
    from harness.local.inngest.transaction import Transaction

_SWEEP_LEAST = 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """An even pace, and how many may come at once.

    Attributes:
        interval_us: the time between two cells, in microseconds.
        capacity: how many conform at once after a long pause.
    """

    interval_us: int
    capacity: int

    @classmethod
    def per(cls, period_ms: int, limit: int, capacity: int) -> "Rate":
        """`limit` a period, `capacity` at once."""
        return cls(period_ms * 1000 // limit, capacity)


class Cells:
    """The expected arrival of every key, in microseconds of the steady clock."""

    def __init__(self) -> None:
        self._arrivals: dict[str, int] = {}
        self._sweep_at = _SWEEP_LEAST

    def restore(self, rows: Iterable[tuple[str, int]]) -> None:
        """Take over what the journal knows."""
        self._arrivals.update(rows)

    def allowed_at(self, name: str, rate: Rate) -> int:
        """From when on the next cell of a key conforms; in the past where it does now."""
        return self._next(name, rate) - rate.interval_us * rate.capacity

    def take(self, name: str, rate: Rate, tx: "Transaction") -> None:
        """Count a cell that conforms."""
        arrival = self._arrivals[name] = self._next(name, rate)
        tx.put_limit(name, arrival)
        if len(self._arrivals) > self._sweep_at:
            self._sweep(tx)

    def _next(self, name: str, rate: Rate) -> int:
        now = steady_us()
        # A clock set back, or a registration that shortened the period, leaves no key closed for
        # longer than its own tolerance.
        most = now + rate.interval_us * rate.capacity
        return min(max(self._arrivals.get(name, now), now), most) + rate.interval_us

    def _sweep(self, tx: "Transaction") -> None:
        """Forget the keys that are as if they had never been used."""
        now = steady_us()
        self._arrivals = {name: at for name, at in self._arrivals.items() if at > now}
        self._sweep_at = max(2 * len(self._arrivals), _SWEEP_LEAST)
        tx.drop_limits(now)
