"""The same functions in `convex-test`, Convex's own test double, as a comparison."""

import orjson

from evals.figures import Figure, figure
from loadtest.bench.names import short
from loadtest.bench.store.rates import MANY
from loadtest.bench.store.scripts import run_script

# What it calls each kind of call, and our figure of it.
CALLS = {"read": "reads_per_s", "page": "pages_per_s", "send": f"mutations_per_s_{MANY}"}


async def compare_with_double(
    size: int, ours: dict[str, Figure], *, seconds: float
) -> dict[str, Figure]:
    """Measure the double in its own process, and how many times as fast our engine was.

    The engine was called by sixteen clients from another process and keeps what it answers; the
    double is called where it is, one call after another, and keeps nothing.

    Args:
        size: a number of documents at which our engine was measured.
        ours: what was measured then.
        seconds: for how long each call is made.

    Raises:
        HarnessError: the double failed.
    """
    printed = await run_script(
        "bench/double.ts", "--documents", str(size), "--seconds", str(seconds)
    )
    found = orjson.loads(printed)
    figures = {}
    for call, name in CALLS.items():
        calls = found[call]["calls"]
        rate = calls / found[call]["seconds"]
        measured = ours[f"{name}_{short(size)}"].value or 0
        what = name.partition("_per_s")[0]
        figures[f"convex_test_{what}_per_s_{short(size)}"] = figure(rate, "calls/s", calls)
        ratio = figure(measured / rate, "times", calls)
        figures[f"{what}_over_convex_test_{short(size)}"] = ratio
    return figures
