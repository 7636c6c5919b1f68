"""What the load was told, read from the file that it wrote line by line."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson

SOCKET = "socket-"  # how keys begin that were sent over a WebSocket


@dataclass(frozen=True)
class Shown:
    """A state that somebody was shown.

    Attributes:
        total: of all balances.
        entries: how many there are in all accounts.
        new: keys of operations that the state before did not show.
    """

    total: float
    entries: float
    new: tuple[str, ...]


@dataclass
class Seen:
    """All of it.

    Attributes:
        sent: when each operation was sent, in seconds since the epoch, by its key.
        acked: when each was acknowledged.
        refused: why operations failed.
        began: how often each action told that it began.
        shown: what each onlooker was shown, in order.
    """

    sent: dict[str, float] = field(default_factory=dict)
    acked: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    began: Counter[str] = field(default_factory=Counter)
    shown: dict[str, list[Shown]] = field(default_factory=dict)


def read(path: Path) -> Seen:
    """Read the file of a load that has ended."""
    seen = Seen()
    with path.open("rb") as lines:
        for line in lines:
            kind, *fields = orjson.loads(line)
            match kind:
                case "sent":
                    at_ms, key = fields
                    seen.sent[key] = at_ms / 1000
                case "acked":
                    at_ms, key = fields
                    seen.acked[key] = at_ms / 1000
                case "refused":
                    key, reason = fields
                    seen.refused[key] = reason
                case "began":
                    seen.began[fields[0]] += 1
                case _:
                    name, total, entries, new = fields
                    seen.shown.setdefault(name, []).append(Shown(total, entries, tuple(new)))
    return seen
