"""The runs of a sweep in order, each held against the first, and which none is better than."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from pydantic import BaseModel

from evals.compare import MetricComparison, compare_runs
from evals.figures import Document, Figure
from evals.pairing import Run
from evals.sweep.file import Sweep
from evals.sweep.runs import Outcome
from evals.sweep.tasks import comparable_latency

NOTHING = Figure(value=None, unit="")  # where a figure can not be said


class Standing(BaseModel):
    """One run of a sweep.

    Attributes:
        number: its place in the file; 1 is the baseline.
        label: the values that it sets, where all runs set the same; else its name.
        settings: what it sets.
        figures: all that were measured.
        gained: its metric held against the baseline's; p is adjusted for all runs of the sweep.
        on_frontier: no other run is better in one of quality, latency and tokens and as good in
            the rest.
        again: it had been measured before.
        error: why it failed.
    """

    number: int
    name: str
    label: str
    run_id: str | None = None
    settings: dict[str, Any] = {}
    figures: dict[str, Figure] = {}
    gained: MetricComparison | None = None
    on_frontier: bool = False
    again: bool = False
    error: str | None = None

    def value(self, figure: str | None) -> float | None:
        """The value of a figure, if it has one."""
        return self.figures[figure].value if figure in self.figures else None


class Board(Document):
    """What `harness sweep --json FILE` holds: figures, and the whole table, best run first."""

    leaderboard: list[Standing]

    def gained(self, metric: str) -> dict[str, Figure]:
        """What the best run gained over the first: nothing where it is the first."""
        best = self.leaderboard[0]
        if best.number == 1 and best.error is None:
            return {metric: Figure(value=0.0, unit="", low=0.0, high=0.0)}
        return {metric: best.gained.figure()} if best.gained else {metric: NOTHING}


def standings(sweep: Sweep, outcomes: Sequence[Outcome]) -> list[Standing]:
    """The table, best run first and failed ones last.

    Args:
        sweep: says what runs are ranked by and what they cost.
        outcomes: of its runs, in the file's order.
    """
    gains = _gains(sweep, outcomes)
    # Values alone tell runs apart that set the same; a single one needs to be told of what.
    alike = len(sweep.varied) > 1 and all(tuple(run.given) == sweep.varied for run in sweep.runs)
    found = [
        Standing(
            number=each.number,
            name=each.chosen.name,
            label=", ".join(map(str, each.chosen.given.values())) if alike else each.chosen.name,
            run_id=each.run and each.run.run_id,
            settings=each.chosen.given,
            figures=each.run.document.figures if each.run else {},
            gained=gains.get(str(each.number)),
            again=bool(each.run and each.run.again),
            error=each.error,
        )
        for each in outcomes
    ]
    latencies = {
        comparable_latency(sweep.task, each.run.document.engines) for each in outcomes if each.run
    }
    latency = sweep.task.latency if latencies == {sweep.task.latency} else None
    latency = figure_of_all(found, latency)
    points = [
        (item.value(sweep.metric), item.value(latency), item.value(sweep.task.tokens))
        for item in found
    ]
    ranked = [
        item.model_copy(update={"on_frontier": on_frontier})
        for item, on_frontier in zip(found, frontier(points), strict=True)
    ]
    return sorted(ranked, key=lambda item: _place(item.value(sweep.metric)))


def figure_of_all(items: Sequence[Standing], name: str | None) -> str | None:
    """A figure's name where every run that did not fail has it; else it tells nothing of any."""
    there = all(item.value(name) is not None for item in items if item.error is None)
    return name if there else None


def _place(value: float | None) -> float:
    return float("inf") if value is None else -value


def _gains(sweep: Sweep, outcomes: Sequence[Outcome]) -> dict[str, MetricComparison]:
    """What each run gained over the first, by its number; nothing where the first failed."""
    runs = [
        Run(each.run.run_id, str(each.number), each.run.document, each.run.rows)
        for each in outcomes
        if each.run is not None
    ]
    if len(runs) < 2 or outcomes[0].run is None:
        return {}
    found = compare_runs(runs, metrics=[sweep.metric], slices=[])
    return {item.run: item for item in found.metrics}


Point = tuple[float | None, float | None, float | None]  # quality, and two costs


def frontier(points: Sequence[Point]) -> list[bool]:
    """Which points no other one dominates: more quality is better, and less of each cost.

    A cost that no point has is none; of the others, a point without a value is the worst.
    """
    known = [any(point[place] is not None for point in points) for place in range(3)]

    def burden(point: Point) -> tuple[float, ...]:
        quality, *costs = point
        worst = [float("inf") if there else 0.0 for there in known]
        return (
            worst[0] if quality is None else -quality,
            *(w if cost is None else cost for w, cost in zip(worst[1:], costs, strict=True)),
        )

    burdens = [burden(point) for point in points]

    def dominated(one: tuple[float, ...]) -> bool:
        return any(
            other != one and all(x <= y for x, y in zip(other, one, strict=True))
            for other in burdens
        )

    return [
        point[0] is not None and not dominated(one)
        for point, one in zip(points, burdens, strict=True)
    ]


def board_frame(ranked: Sequence[Standing]) -> pl.DataFrame:
    """The table as columns: settings as text, figures with their intervals, what was gained."""
    rows = []
    for item in ranked:
        row: dict[str, Any] = {
            "number": item.number,
            "name": item.name,
            "label": item.label,
            "run_id": item.run_id,
        }
        row |= {f"setting.{name}": str(value) for name, value in item.settings.items()}
        for name, each in item.figures.items():
            row[name] = each.value
            if each.low is not None:
                row |= {f"{name}_low": each.low, f"{name}_high": each.high}
        gained = item.gained
        row |= {
            "difference": gained and gained.difference,
            "difference_low": gained and gained.low,
            "difference_high": gained and gained.high,
            "p_holm": gained and gained.p_holm,
            "detectable": gained and gained.detectable,
            "on_frontier": item.on_frontier,
            "error": item.error,
        }
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def board_figures(sweep: Sweep, ranked: Sequence[Standing], seconds: float) -> dict[str, Figure]:
    """Figures of the best run by their own names, and of each run with its number before them.

    Args:
        sweep: names the figures that are shown.
        ranked: best first.
        seconds: that the sweep took.
    """
    task = sweep.task
    shown = [name for name in (sweep.metric, task.latency, task.tokens) if name]
    done = [item for item in ranked if item.error is None]
    figures: dict[str, Figure] = {}
    if done:
        figures |= {name: done[0].figures.get(name, NOTHING) for name in shown}
    for item in sorted(done, key=lambda each: each.number):
        figures |= {f"run_{item.number}.{name}": item.figures.get(name, NOTHING) for name in shown}
    figures["runs"] = Figure(value=len(ranked), unit="runs")
    figures["runs_failed"] = Figure(value=len(ranked) - len(done), unit="runs")
    figures["seconds"] = Figure(value=seconds, unit="s")
    return figures
