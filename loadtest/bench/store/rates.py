"""Calls a second: every kind of call on every engine in turn, so that all meet the same machine."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from evals.figures import Figure, figure
from harness.local.part import Part
from loadtest.bench.names import short
from loadtest.bench.store.scripts import Generator
from loadtest.bench.store.servers import cpu_s

MANY = 16  # clients
Say = Callable[[str], None]


@dataclass(frozen=True)
class Measure:
    """One kind of call.

    Attributes:
        name: of its figure, without the size.
        call: what the load generator calls it.
        clients: how many, each with one call at a time.
        over: `http` or `websocket`.
    """

    name: str
    call: str
    clients: int
    over: str = "http"


MEASURES = (
    Measure("reads_per_s", "read", MANY),
    Measure("pages_per_s", "page", MANY),
    Measure("mutations_per_s_1", "send", 1),
    Measure(f"mutations_per_s_{MANY}", "send", MANY),
    Measure("ws_reads_per_s", "read", MANY, "websocket"),
    Measure("ws_pages_per_s", "page", MANY, "websocket"),
    Measure("ws_mutations_per_s_1", "send", 1, "websocket"),
    Measure(f"ws_mutations_per_s_{MANY}", "send", MANY, "websocket"),
)
FLOORS = (Measure("floor_per_s_1", "read", 1), Measure(f"floor_per_s_{MANY}", "read", MANY))
# Whose processor time is told as well: it does not depend on who else uses the machine.
CPU_NAMES = {"reads_per_s": "read", "pages_per_s": "page", f"mutations_per_s_{MANY}": "mutation"}


@dataclass
class Rate:
    """What the blocks of one measure found on one server."""

    per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    calls: int = 0

    @property
    def median(self) -> Figure:
        """Calls a second."""
        return figure(statistics.median(self.per_s), "calls/s", self.calls)

    @property
    def cpu(self) -> Figure:
        """Processor time of the server a call."""
        return figure(statistics.median(self.cpu_us), "µs", self.calls)


async def measure_rates(
    generator: Generator,
    engines: dict[int, Part],
    floor: Part,
    *,
    rounds: int,
    block_s: float,
    say: Say,
) -> dict[str, Figure]:
    """Measure calls a second at each number of documents, and of a server that does nothing.

    Args:
        generator: makes the load.
        engines: by how many documents they hold, ascending.
        floor: the server that does nothing.
        rounds: how often each is measured; the median counts.
        block_s: seconds each time.
        say: takes a line of progress.
    """
    found: dict[tuple[str, int], Rate] = {}

    async def block(measure: Measure, size: int, part: Part) -> None:
        rate = found.setdefault((measure.name, size), Rate())
        before_s = cpu_s(part)
        answer = await generator.ask(
            "rate",
            url=part.spec.url,
            call=measure.call,
            over=measure.over,
            clients=measure.clients,
            seconds=block_s,
            documents=size,
        )
        rate.cpu_us.append((cpu_s(part) - before_s) * 1e6 / answer["calls"])
        rate.calls += answer["calls"]
        rate.per_s.append(answer["calls"] / answer["seconds"])

    smallest = min(engines)
    for number in range(rounds):
        say(f"rates: round {number + 1} of {rounds}")
        for measure in FLOORS:
            await block(measure, smallest, floor)
        for measure in MEASURES:
            for size, part in engines.items():
                await block(measure, size, part)
    return _figures(found, sorted(engines))


def _figures(found: dict[tuple[str, int], Rate], sizes: list[int]) -> dict[str, Figure]:
    figures = {measure.name: found[measure.name, sizes[0]].median for measure in FLOORS}
    for measure in MEASURES:
        for size in sizes:
            rate = found[measure.name, size]
            figures[f"{measure.name}_{short(size)}"] = rate.median
            if measure.name in CPU_NAMES:
                figures[f"{CPU_NAMES[measure.name]}_cpu_us_{short(size)}"] = rate.cpu
    # Where no size is named, it is the largest.
    for measure in MEASURES:
        if measure.name.startswith("mutations"):
            figures[measure.name] = found[measure.name, sizes[-1]].median
    for name in ("reads_per_s", f"mutations_per_s_{MANY}"):
        large, small = found[name, sizes[-1]], found[name, sizes[0]]
        ratio = (large.median.value or 0) / (small.median.value or 1)
        figures[f"{name}_largest_over_smallest"] = figure(ratio, "times", large.calls)
    return figures
