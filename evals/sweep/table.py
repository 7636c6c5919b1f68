"""The table of a sweep as people read it in a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evals.statistics import LEVEL
from evals.sweep.file import Sweep
from evals.sweep.leaderboard import Standing, figure_of_all

FRONTIER = "◆"
_COST, _FAILED = "cost", "failed"
_NARROWEST = 14  # characters of what a run sets


def print_board(
    sweep: Sweep, ranked: Sequence[Standing], latency: str | None, console: Console
) -> None:
    """Print one line a run, best first, and what the columns mean.

    Args:
        sweep: says what runs are ranked by and what they cost.
        ranked: best first.
        latency: the figure of it, None where that of one run can not be held against another's.
        console: where the table goes.
    """
    task, latency = sweep.task, figure_of_all(ranked, latency)
    shown = ((latency, "p50 ms"), (task.tokens, "tokens"), (_COST, _COST), (_FAILED, _FAILED))
    costs = {
        name: heading
        for name, heading in shown
        if name and any(_tells(name, item.value(name)) for item in ranked)
    }
    table = Table(
        title=escape(f"{sweep.name}: {sweep.metric} by {', '.join(sweep.varied)}"),
        title_justify="left",
        box=SIMPLE,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("")
    table.add_column("run", justify="right")
    table.add_column("sets", overflow="fold", min_width=_NARROWEST)
    for heading in (sweep.metric, "less run 1", "p", *costs.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for item in ranked:
        table.add_row(*_cells(item, sweep.metric, list(costs)))
    console.print(table)
    for item in ranked:
        if item.error is not None:
            line = f"run {item.number} failed: {item.error}"
            console.print(line, style="red", markup=False, highlight=False)
    counted = [sweep.metric, *(costs[name] for name in (latency, task.tokens) if name in costs)]
    console.print(
        f"{FRONTIER} no run is better in one of {', '.join(counted)} and as good in the rest; "
        f"{LEVEL:.0%} intervals; p paired by sample, adjusted for all runs (Holm)"
        + ("" if latency else "; latency is left out: not every run had the same work to do"),
        style="dim",
    )


def _cells(item: Standing, metric: str, costs: Sequence[str]) -> list[str]:
    sets = escape(item.label)
    if item.error is not None:
        return ["", str(item.number), sets, "–"]
    measured = item.figures[metric]
    cells = [FRONTIER if item.on_frontier else "", str(item.number), sets]
    cells.append(_with_interval(measured.value, measured.low, measured.high, ".3f"))
    gained = item.gained
    if gained is None:
        cells += ["–", ""]
    else:
        difference = _with_interval(gained.difference, gained.low, gained.high, "+.3f")
        cells += [difference, f"{gained.p_holm:.3g}"]
    return [*cells, *(_bare(item.value(cost)) for cost in costs)]


def _tells(name: str, value: float | None) -> bool:
    """Whether a run's value is worth a column; that nothing failed goes without saying."""
    return value is not None and (name != _FAILED or value > 0)


def _with_interval(value: float | None, low: float | None, high: float | None, form: str) -> str:
    """A value over its interval: beside each other they leave no room for what runs set."""
    if value is None or low is None or high is None:
        return "–" if value is None else f"{value:{form}}"
    return f"{value:{form}}\n{low:{form}} – {high:{form}}"


def _bare(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
