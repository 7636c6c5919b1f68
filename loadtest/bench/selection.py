"""How long it takes to choose among thousands of tools."""

import time
from collections.abc import Callable, Sequence
from itertools import islice, product

from evals.datasets.loader import load_tools
from evals.figures import Figure, figure
from evals.tasks.tools import catalogue_specs
from harness.context.embeddings import CachedEmbedder
from harness.tools.registry import ToolSpec
from harness.tools.selection import ToolSelector
from loadtest.bench.names import short
from loadtest.histogram import percentiles

SIZES = (10, 5_000)
OFFERED = 5
ROUNDS = 3  # of all the requests
Say = Callable[[str], None]

# What the invented tools do, to what and for whom; their product is more than is ever needed.
_VERBS = (
    "list", "find", "create", "update", "delete", "archive", "export", "import", "share", "rename",
    "schedule", "cancel", "approve", "compare", "summarise", "translate", "print", "count", "sort",
    "validate",
)  # fmt: skip
_THINGS = (
    "invoice", "shipment", "contract", "ticket", "meeting", "photo", "recipe", "patient", "lesson",
    "flight", "sensor", "playlist", "loan", "vehicle", "parcel", "survey", "budget", "lease",
    "experiment", "alarm",
)  # fmt: skip
_PLACES = (
    "warehouse", "clinic", "school", "garage", "hotel", "library", "bakery", "harbour", "studio",
    "laboratory", "museum", "farm", "office", "theatre",
)  # fmt: skip


async def bench_selection(
    embedder: CachedEmbedder, *, say: Say, sizes: Sequence[int] = SIZES
) -> dict[str, Figure]:
    """Measure selections whose request is embedded already, one after another.

    The requests are those of the project's own set, whose tools are among the others.

    Args:
        embedder: makes the vectors.
        say: takes a line of progress.
        sizes: numbers of tools.

    Returns:
        The figures by name; `select_p50_ms_5k` is of 5,000 tools, `select_cpu_ms_5k` its mean
        processor time, of all threads.
    """
    data = load_tools("all")
    specs = [*catalogue_specs(data), *_invented(max(sizes))]
    texts = [query.text for query in data.queries]
    figures = {}
    for size in sizes:
        say(f"selection among {size:,} tools: embedding them")
        selector = ToolSelector(embedder, specs[:size])
        await selector.prepare()
        for text in texts:
            await selector.select(text, OFFERED)
        say(f"selection among {size:,} tools: {len(texts) * ROUNDS} requests")
        taken_ms, before = [], time.process_time()
        for text in texts * ROUNDS:
            started = time.perf_counter()
            await selector.select(text, OFFERED)
            taken_ms.append((time.perf_counter() - started) * 1000)
        cpu_ms = (time.process_time() - before) * 1000 / len(taken_ms)
        p50, p95 = percentiles(taken_ms, 50, 95)
        name = short(size)
        figures[f"select_p50_ms_{name}"] = figure(p50, "ms", len(taken_ms))
        figures[f"select_p95_ms_{name}"] = figure(p95, "ms", len(taken_ms))
        figures[f"select_cpu_ms_{name}"] = figure(cpu_ms, "ms", len(taken_ms))
    return figures


def _invented(count: int) -> list[ToolSpec]:
    return [
        ToolSpec(
            name=f"{verb}_{thing}_{place}",
            description=f"{verb.capitalize()} a {thing} of the {place}.",
            parameters={
                "type": "object",
                "properties": {f"{thing}_id": {"description": f"Which {thing} to {verb}"}},
            },
        )
        for thing, place, verb in islice(product(_THINGS, _PLACES, _VERBS), count)
    ]
